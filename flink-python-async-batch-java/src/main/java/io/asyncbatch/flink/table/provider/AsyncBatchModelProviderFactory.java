package io.asyncbatch.flink.table.provider;

import static io.asyncbatch.flink.table.AsyncBatchModelOptions.BACKEND;
import static io.asyncbatch.flink.table.AsyncBatchModelOptions.BATCH_SIZE;
import static io.asyncbatch.flink.table.AsyncBatchModelOptions.BATCH_TIMEOUT;
import static io.asyncbatch.flink.table.AsyncBatchModelOptions.MAX_ATTEMPTS;
import static io.asyncbatch.flink.table.AsyncBatchModelOptions.RETRY_DELAY;
import static io.asyncbatch.flink.table.AsyncBatchModelOptions.RETRY_MAX_DELAY;
import static io.asyncbatch.flink.table.AsyncBatchModelOptions.RETRY_STRATEGY;
import static io.asyncbatch.flink.table.AsyncBatchModelOptions.TIMEOUT;

import io.asyncbatch.flink.operator.emission.SupportedFlink;
import io.asyncbatch.flink.table.AsyncBatchModelOptions.Backend;
import io.asyncbatch.flink.table.AsyncBatchModelOptions.RetryStrategy;
import io.asyncbatch.flink.table.PythonModelOptions;
import io.asyncbatch.flink.table.SidecarModelOptions;
import io.asyncbatch.flink.table.backend.CallRetries;
import io.asyncbatch.flink.table.backend.DurationRange;
import io.asyncbatch.flink.table.backend.PythonBackend;
import io.asyncbatch.flink.table.backend.SidecarBackend;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.api.config.MLPredictRuntimeConfigOptions;
import org.apache.flink.table.catalog.ResolvedSchema;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.factories.ModelProviderFactory;
import org.apache.flink.table.ml.ModelProvider;
import org.apache.flink.table.types.logical.RowType;

/** The provider {@code 'async-batch'}. Found by the planner, and used by its thread. */
@Internal
public final class AsyncBatchModelProviderFactory implements ModelProviderFactory {

    static final String IDENTIFIER = "async-batch";

    /** Flink reads these from the call, so that in a model they would mean nothing. */
    private static final List<ConfigOption<?>> OF_THE_CALL =
            List.of(
                    MLPredictRuntimeConfigOptions.ASYNC,
                    MLPredictRuntimeConfigOptions.ASYNC_OUTPUT_MODE,
                    MLPredictRuntimeConfigOptions.ASYNC_MAX_CONCURRENT_OPERATIONS);

    private static final Set<ConfigOption<?>> SIDECAR =
            Set.of(
                    SidecarModelOptions.ENDPOINT,
                    SidecarModelOptions.MODEL_NAME,
                    SidecarModelOptions.MODEL_VERSION,
                    SidecarModelOptions.REQUEST_TIMEOUT,
                    SidecarModelOptions.MAX_IN_FLIGHT,
                    SidecarModelOptions.READY_TIMEOUT,
                    SidecarModelOptions.MAX_MESSAGE_BYTES,
                    SidecarModelOptions.KEEP_ALIVE_TIME,
                    SidecarModelOptions.KEEP_ALIVE_TIMEOUT,
                    SidecarModelOptions.MAX_RECONNECT_DELAY,
                    SidecarModelOptions.TLS,
                    SidecarModelOptions.PLAINTEXT,
                    SidecarModelOptions.CA_FILE,
                    SidecarModelOptions.CLIENT_CERTIFICATE_FILE,
                    SidecarModelOptions.CLIENT_KEY_FILE,
                    SidecarModelOptions.TOKEN_FROM_ENVIRONMENT,
                    SidecarModelOptions.TOKEN_FROM_FILE,
                    SidecarModelOptions.SHARED_MEMORY_THRESHOLD,
                    SidecarModelOptions.MAX_SHARED_MEMORY_BYTES);

    private static final Set<ConfigOption<?>> PYTHON =
            Set.of(
                    PythonModelOptions.FUNCTION,
                    PythonModelOptions.OPEN_TIMEOUT,
                    PythonModelOptions.MAX_FRAME_BYTES,
                    PythonModelOptions.SHARED_MEMORY_THRESHOLD,
                    PythonModelOptions.WORKER);

    @Override
    public String factoryIdentifier() {
        return IDENTIFIER;
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of(BACKEND);
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        Set<ConfigOption<?>> options =
                new HashSet<>(
                        List.of(
                                BATCH_SIZE,
                                BATCH_TIMEOUT,
                                TIMEOUT,
                                RETRY_STRATEGY,
                                RETRY_DELAY,
                                RETRY_MAX_DELAY,
                                MAX_ATTEMPTS));
        options.addAll(SIDECAR);
        options.addAll(PYTHON);
        return options;
    }

    @Override
    public ModelProvider createModelProvider(Context context) {
        SupportedFlink.require();
        Map<String, String> given = context.getCatalogModel().getOptions();
        requireOptionsOfAModel(given);
        refuseBatchApi(given);
        FactoryUtil.ModelProviderFactoryHelper helper =
                FactoryUtil.createModelProviderFactoryHelper(this, context);
        helper.validateExcept(SidecarModelOptions.INPUT_PREFIX, SidecarModelOptions.OUTPUT_PREFIX);
        // All of them: the helper's are those that are options by themselves.
        Configuration options = Configuration.fromMap(given);
        RowType inputs = columns(context.getCatalogModel().getResolvedInputSchema());
        RowType outputs = columns(context.getCatalogModel().getResolvedOutputSchema());
        CallRetries retries = retries(options);
        Backend backend = options.get(BACKEND);
        requireOptionsOf(backend, given);
        String model = context.getObjectIdentifier().getObjectName();
        ReadableConfig session = context.getConfiguration();
        return switch (backend) {
            case SIDECAR -> {
                var sidecar = SidecarBackend.of(options, inputs, outputs, retries);
                yield new AsyncBatchModelProvider(model, call -> sidecar, options, session);
            }
            case PYTHON -> {
                var python = python(options, session, inputs, outputs, retries);
                yield new AsyncBatchModelProvider(model, python::forCall, options, session);
            }
            case BATCH_API -> throw new IllegalStateException("refused before");
        };
    }

    private static PythonBackend python(
            Configuration options,
            ReadableConfig session,
            RowType inputs,
            RowType outputs,
            @Nullable CallRetries retries) {
        try {
            return PythonBackend.of(options, session, inputs, outputs, retries);
        } catch (NoClassDefFoundError e) {
            throw new ValidationException(
                    "Backend 'python' needs flink-python's jar, which Flink has in its folder 'opt',"
                            + " on the class path",
                    e);
        }
    }

    private static RowType columns(ResolvedSchema schema) {
        return (RowType) schema.toPhysicalRowDataType().getLogicalType();
    }

    private static void requireOptionsOfAModel(Map<String, String> given) {
        for (ConfigOption<?> option : OF_THE_CALL) {
            if (given.containsKey(option.key())) {
                throw new ValidationException(
                        ("'%s' is no option of a model, since Flink reads it elsewhere: in the MAP"
                                        + " of ML_PREDICT, or for the session as"
                                        + " 'table.exec.async-ml-predict.*'.")
                                .formatted(option.key()));
            }
        }
    }

    /** See ADR 15. */
    private static void refuseBatchApi(Map<String, String> given) {
        if (Backend.BATCH_API.toString().equalsIgnoreCase(given.get(BACKEND.key()))) {
            throw new ValidationException(
                    "Backend 'batch-api' cannot be called by ML_PREDICT: jobs of a Batch API take"
                            + " up to a day, a function of the planner has no state in which a"
                            + " restart would find those that are paid, and ML_PREDICT gives up"
                            + " after its timeout. Call"
                            + " io.asyncbatch.flink.table.TableBatchInference.apply, or in Python"
                            + " pyflink_async_batch.table.batch_inference, with the table, and"
                            + " select from the one that it returns; docs/sql.md shows how.");
        }
    }

    private static void requireOptionsOf(Backend backend, Map<String, String> given) {
        String own = backend + ".";
        for (Backend other : Backend.values()) {
            String prefix = other + ".";
            for (String key : given.keySet()) {
                if (!prefix.equals(own) && key.startsWith(prefix)) {
                    throw new ValidationException(
                            "'%s' means nothing where '%s' is '%s'"
                                    .formatted(key, BACKEND.key(), backend));
                }
            }
        }
    }

    @Nullable
    private static CallRetries retries(Configuration options) {
        RetryStrategy strategy = options.get(RETRY_STRATEGY);
        if (strategy == RetryStrategy.NO_RETRY) {
            requireAbsent(options, RETRY_DELAY, strategy);
            requireAbsent(options, MAX_ATTEMPTS, strategy);
        }
        if (strategy != RetryStrategy.EXPONENTIAL_DELAY) {
            requireAbsent(options, RETRY_MAX_DELAY, strategy);
        }
        if (strategy == RetryStrategy.NO_RETRY) {
            return null;
        }
        int most = options.get(MAX_ATTEMPTS);
        if (most < 1) {
            throw new ValidationException("'max-attempts' must be positive, got " + most);
        }
        Duration delay = DurationRange.require(RETRY_DELAY, options.get(RETRY_DELAY), 1);
        if (strategy == RetryStrategy.FIXED_DELAY) {
            return new CallRetries(most, delay, 1, delay);
        }
        Duration longest = DurationRange.require(RETRY_MAX_DELAY, options.get(RETRY_MAX_DELAY), 1);
        if (longest.compareTo(delay) < 0) {
            throw new ValidationException(
                    "'retry-max-delay' must be at least 'retry-delay' = %s, got %s"
                            .formatted(delay, longest));
        }
        return new CallRetries(most, delay, 2, longest);
    }

    private static void requireAbsent(
            Configuration options, ConfigOption<?> option, RetryStrategy strategy) {
        if (options.contains(option)) {
            throw new ValidationException(
                    "'%s' means nothing where '%s' is '%s'"
                            .formatted(option.key(), RETRY_STRATEGY.key(), strategy));
        }
    }
}
