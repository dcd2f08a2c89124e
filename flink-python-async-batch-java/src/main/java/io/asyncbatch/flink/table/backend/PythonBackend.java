package io.asyncbatch.flink.table.backend;

import static io.asyncbatch.flink.table.PythonModelOptions.FUNCTION;
import static io.asyncbatch.flink.table.PythonModelOptions.MAX_FRAME_BYTES;
import static io.asyncbatch.flink.table.PythonModelOptions.OPEN_TIMEOUT;
import static io.asyncbatch.flink.table.PythonModelOptions.OWN_WORKER;
import static io.asyncbatch.flink.table.PythonModelOptions.SHARED_MEMORY_THRESHOLD;
import static io.asyncbatch.flink.table.PythonModelOptions.SHARED_WORKER;
import static io.asyncbatch.flink.table.PythonModelOptions.WORKER;

import io.asyncbatch.flink.AsyncBatchOptions;
import io.asyncbatch.flink.arrow.ArrowSchemas;
import io.asyncbatch.flink.arrow.RowSizes;
import io.asyncbatch.flink.arrow.UnsupportedElementTypeException;
import io.asyncbatch.flink.operator.BatchSettings;
import io.asyncbatch.flink.table.backend.PythonTypes.PythonType;
import io.asyncbatch.flink.worker.PythonFunction;
import io.asyncbatch.flink.worker.PythonInvokerFactory;
import io.asyncbatch.flink.worker.SubmittedPythonConfiguration;
import io.asyncbatch.flink.worker.WorkerLimits;
import io.asyncbatch.flink.worker.WorkerSharing;
import java.time.Duration;
import java.util.regex.Pattern;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.types.Row;

/**
 * Models that are Python functions, in workers that import them. Immutable; the planner's thread.
 */
@Internal
public final class PythonBackend {

    /** Where the Python side resolves what is named here. */
    private static final String MODULE = "pyflink_async_batch._table.by_name";

    private static final int LONGEST_OPEN_TIMEOUT_DAYS = 365;

    private static final Pattern NAME =
            Pattern.compile("[\\p{L}_][\\w.]*:[\\p{L}_][\\w.]*", Pattern.UNICODE_CHARACTER_CLASS);

    private final PythonFunction function;
    private final PythonType inputs;
    private final PythonType outputs;
    private final SubmittedPythonConfiguration configuration;
    private final WorkerLimits limits;
    private final boolean shared;

    private PythonBackend(
            PythonFunction function,
            PythonType inputs,
            PythonType outputs,
            SubmittedPythonConfiguration configuration,
            WorkerLimits limits,
            boolean shared) {
        this.function = function;
        this.inputs = inputs;
        this.outputs = outputs;
        this.configuration = configuration;
        this.limits = limits;
        this.shared = shared;
    }

    /**
     * @param options of the model
     * @param session whose Python options count; files that they name are registered in it
     * @param retries null to repeat no call
     * @throws ValidationException if an option is missing, out of its range or contradicts another,
     *     or values of a column do not travel to a worker
     */
    public static PythonBackend of(
            ReadableConfig options,
            ReadableConfig session,
            RowType inputs,
            RowType outputs,
            @Nullable CallRetries retries) {
        String name = functionName(options);
        return new PythonBackend(
                new PythonFunction(
                        name,
                        PickledCall.of(MODULE, "load_function", name),
                        retries == null ? new byte[0] : pickled(retries)),
                travelling("input", inputs),
                travelling("output", outputs),
                SubmittedPythonConfiguration.ofSession(session),
                limits(options),
                isShared(options));
    }

    private static String functionName(ReadableConfig options) {
        String name =
                options.getOptional(FUNCTION)
                        .orElseThrow(
                                () ->
                                        new ValidationException(
                                                "Backend 'python' needs '"
                                                        + FUNCTION.key()
                                                        + "' = 'module:Class'"));
        if (!NAME.matcher(name).matches()) {
            throw new ValidationException(
                    "'%s' must be 'module:Class' or 'module:object', got '%s'"
                            .formatted(FUNCTION.key(), name));
        }
        return name;
    }

    private static byte[] pickled(CallRetries retries) {
        return PickledCall.of(
                MODULE,
                "retry_strategy",
                retries.most(),
                Math.toIntExact(retries.delay().toMillis()),
                retries.multiplier(),
                Math.toIntExact(retries.maxDelay().toMillis()));
    }

    private static PythonType travelling(String role, RowType columns) {
        PythonType type = PythonTypes.of(columns);
        try {
            ArrowSchemas.forType(type.typeInformation());
        } catch (UnsupportedElementTypeException e) {
            throw new ValidationException(
                    "The model's %s does not travel to a Python worker: %s"
                            .formatted(role, e.getMessage()),
                    e);
        }
        return type;
    }

    private static WorkerLimits limits(ReadableConfig options) {
        Duration openTimeout =
                DurationRange.require(
                        OPEN_TIMEOUT, options.get(OPEN_TIMEOUT), LONGEST_OPEN_TIMEOUT_DAYS);
        try {
            return new WorkerLimits(
                    openTimeout.toMillis(),
                    options.get(MAX_FRAME_BYTES).getBytes(),
                    AsyncBatchOptions.DEFAULT_MAX_BYTES_IN_FLIGHT,
                    options.get(SHARED_MEMORY_THRESHOLD).getBytes(),
                    null,
                    openTimeout.toMillis());
        } catch (IllegalArgumentException e) {
            throw new ValidationException("'python.*': " + e.getMessage(), e);
        }
    }

    private static boolean isShared(ReadableConfig options) {
        String worker = options.get(WORKER);
        if (!worker.equals(OWN_WORKER) && !worker.equals(SHARED_WORKER)) {
            throw new ValidationException(
                    "'%s' must be '%s' or '%s', got '%s'"
                            .formatted(WORKER.key(), OWN_WORKER, SHARED_WORKER, worker));
        }
        return worker.equals(SHARED_WORKER);
    }

    /** For one call of ML_PREDICT. */
    @SuppressWarnings("unchecked")
    public ModelBackend<Row, Row> forCall(BatchSettings settings) {
        if (settings.maxBatchBytes() > limits.maxFrameBytes()) {
            throw new ValidationException(
                    "'%s' must be at least %d bytes, what a batch may have, got %d"
                            .formatted(
                                    MAX_FRAME_BYTES.key(),
                                    settings.maxBatchBytes(),
                                    limits.maxFrameBytes()));
        }
        TypeInformation<Row> inputType = (TypeInformation<Row>) inputs.typeInformation();
        return new ModelBackend<>(
                new PythonInvokerFactory<>(
                        function,
                        inputType,
                        (TypeInformation<Row>) outputs.typeInformation(),
                        configuration,
                        limits.withStallTimeoutMillis(
                                settings.timeoutMillis() + WorkerLimits.STALL_SPARE_MILLIS),
                        shared
                                ? new WorkerSharing(
                                        settings.batchSize(),
                                        settings.maxBatchBytes(),
                                        settings.capacity(),
                                        settings.failureHandling().isContained())
                                : null,
                        null),
                RowSizes.estimator(inputType)::applyAsLong,
                new ExternalRows(inputs.dataType()),
                new ExternalRows(outputs.dataType()));
    }
}
