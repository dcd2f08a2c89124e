package io.asyncbatch.flink.table.backend;

import static io.asyncbatch.flink.table.SidecarModelOptions.CA_FILE;
import static io.asyncbatch.flink.table.SidecarModelOptions.CLIENT_CERTIFICATE_FILE;
import static io.asyncbatch.flink.table.SidecarModelOptions.CLIENT_KEY_FILE;
import static io.asyncbatch.flink.table.SidecarModelOptions.ENDPOINT;
import static io.asyncbatch.flink.table.SidecarModelOptions.INPUT_PREFIX;
import static io.asyncbatch.flink.table.SidecarModelOptions.KEEP_ALIVE_TIME;
import static io.asyncbatch.flink.table.SidecarModelOptions.KEEP_ALIVE_TIMEOUT;
import static io.asyncbatch.flink.table.SidecarModelOptions.MAX_IN_FLIGHT;
import static io.asyncbatch.flink.table.SidecarModelOptions.MAX_MESSAGE_BYTES;
import static io.asyncbatch.flink.table.SidecarModelOptions.MAX_RECONNECT_DELAY;
import static io.asyncbatch.flink.table.SidecarModelOptions.MAX_SHARED_MEMORY_BYTES;
import static io.asyncbatch.flink.table.SidecarModelOptions.MODEL_NAME;
import static io.asyncbatch.flink.table.SidecarModelOptions.MODEL_VERSION;
import static io.asyncbatch.flink.table.SidecarModelOptions.OUTPUT_PREFIX;
import static io.asyncbatch.flink.table.SidecarModelOptions.PLAINTEXT;
import static io.asyncbatch.flink.table.SidecarModelOptions.READY_TIMEOUT;
import static io.asyncbatch.flink.table.SidecarModelOptions.REQUEST_TIMEOUT;
import static io.asyncbatch.flink.table.SidecarModelOptions.SHARED_MEMORY_THRESHOLD;
import static io.asyncbatch.flink.table.SidecarModelOptions.TLS;
import static io.asyncbatch.flink.table.SidecarModelOptions.TOKEN_FROM_ENVIRONMENT;
import static io.asyncbatch.flink.table.SidecarModelOptions.TOKEN_FROM_FILE;

import io.asyncbatch.flink.function.FunctionInvokerFactory;
import io.asyncbatch.flink.sidecar.GpuSidecarAsyncBatchFunction;
import io.asyncbatch.flink.sidecar.SidecarOptions;
import io.asyncbatch.flink.sidecar.SidecarRetryPredicate;
import io.asyncbatch.flink.sidecar.TensorCodec;
import io.asyncbatch.flink.sidecar.TensorCodecOptions;
import io.asyncbatch.flink.sidecar.TensorCodecs;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Supplier;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.RowType;

/** Models of a server that speaks the Open Inference Protocol. Stateless; the planner's thread. */
@Internal
public final class SidecarBackend {

    private SidecarBackend() {}

    /**
     * @param options of the model, those of columns too
     * @param retries null to repeat no call
     * @throws ValidationException if an option is missing, out of its range or contradicts another,
     *     or a column has no tensor
     */
    public static ModelBackend<RowData, RowData> of(
            ReadableConfig options,
            RowType inputs,
            RowType outputs,
            @Nullable CallRetries retries) {
        SidecarOptions sidecar = sidecarOptions(options);
        TensorCodec<RowData, RowData> codec = codec(options, inputs, outputs);
        return new ModelBackend<>(
                new FunctionInvokerFactory<>(
                        new GpuSidecarAsyncBatchFunction<>(sidecar, codec),
                        retries == null ? null : retries.strategy(new SidecarRetryPredicate())),
                // Rows of tensors have no estimate; 'sidecar.max-message-bytes' bounds a batch.
                row -> 0,
                RowConversion.NONE,
                RowConversion.NONE);
    }

    private static SidecarOptions sidecarOptions(ReadableConfig options) {
        String endpoint = required(options, ENDPOINT);
        String model = required(options, MODEL_NAME);
        SidecarOptions.Builder builder =
                named(ENDPOINT.key(), () -> SidecarOptions.builder(endpoint, model));
        Given given = new Given(options);
        given.set(MODEL_VERSION, builder::modelVersion);
        given.set(REQUEST_TIMEOUT, builder::requestTimeout);
        given.set(MAX_IN_FLIGHT, builder::maxInFlight);
        given.set(READY_TIMEOUT, builder::readyTimeout);
        given.set(MAX_MESSAGE_BYTES, size -> builder.maxMessageBytes(intBytes(size)));
        given.set(MAX_RECONNECT_DELAY, builder::maxReconnectDelay);
        given.set(CA_FILE, builder::caFile);
        given.set(TOKEN_FROM_ENVIRONMENT, builder::tokenFromEnvironment);
        given.set(TOKEN_FROM_FILE, builder::tokenFromFile);
        given.set(SHARED_MEMORY_THRESHOLD, size -> builder.sharedMemoryThreshold(size.getBytes()));
        given.set(MAX_SHARED_MEMORY_BYTES, size -> builder.maxSharedMemoryBytes(size.getBytes()));
        given.both(KEEP_ALIVE_TIME, KEEP_ALIVE_TIMEOUT, builder::keepAlive);
        given.both(CLIENT_CERTIFICATE_FILE, CLIENT_KEY_FILE, builder::clientCertificate);
        if (options.get(TLS)) {
            builder.tls();
        }
        if (options.get(PLAINTEXT)) {
            builder.plaintext();
        }
        return named("sidecar.*", builder::build);
    }

    private static int intBytes(MemorySize size) {
        if (size.getBytes() > Integer.MAX_VALUE) {
            throw new IllegalArgumentException("must be less than 2 GiB, got " + size);
        }
        return (int) size.getBytes();
    }

    private static String required(ReadableConfig options, ConfigOption<String> option) {
        return options.getOptional(option)
                .orElseThrow(
                        () ->
                                new ValidationException(
                                        "Backend 'sidecar' needs '" + option.key() + "'"));
    }

    private static TensorCodec<RowData, RowData> codec(
            ReadableConfig options, RowType inputs, RowType outputs) {
        TensorCodecOptions.Builder tensors = TensorCodecOptions.builder();
        ColumnOptions.of(INPUT_PREFIX, options, inputs).forEach(tensors::input);
        ColumnOptions.of(OUTPUT_PREFIX, options, outputs).forEach(tensors::output);
        return named(
                "sidecar.input.*, sidecar.output.*",
                () -> TensorCodecs.forRowData(inputs, outputs, tensors.build()));
    }

    /** What an exception of the Java API is about, in the words of SQL. */
    private static <T> T named(String option, Supplier<T> call) {
        try {
            return call.get();
        } catch (IllegalArgumentException e) {
            throw new ValidationException("'" + option + "': " + e.getMessage(), e);
        }
    }

    /** Sets what the user has given. */
    private record Given(ReadableConfig options) {

        <T> void set(ConfigOption<T> option, Consumer<T> setter) {
            options.getOptional(option)
                    .ifPresent(
                            value ->
                                    named(
                                            option.key(),
                                            () -> {
                                                setter.accept(value);
                                                return null;
                                            }));
        }

        <T> void both(ConfigOption<T> first, ConfigOption<T> second, BiConsumer<T, T> setter) {
            Optional<T> one = options.getOptional(first);
            Optional<T> other = options.getOptional(second);
            if (one.isPresent() != other.isPresent()) {
                throw new ValidationException(
                        "'%s' and '%s' go together, and only '%s' is given"
                                .formatted(
                                        first.key(),
                                        second.key(),
                                        one.isPresent() ? first.key() : second.key()));
            }
            one.ifPresent(
                    value ->
                            named(
                                    first.key(),
                                    () -> {
                                        setter.accept(value, other.get());
                                        return null;
                                    }));
        }
    }
}
