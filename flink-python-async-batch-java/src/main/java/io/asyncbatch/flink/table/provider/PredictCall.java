package io.asyncbatch.flink.table.provider;

import static io.asyncbatch.flink.table.AsyncBatchModelOptions.BATCH_SIZE;
import static io.asyncbatch.flink.table.AsyncBatchModelOptions.BATCH_TIMEOUT;
import static io.asyncbatch.flink.table.AsyncBatchModelOptions.TIMEOUT;

import io.asyncbatch.flink.AsyncBatchOptions;
import io.asyncbatch.flink.operator.BatchSettings;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import io.asyncbatch.flink.operator.FailureHandling;
import io.asyncbatch.flink.table.backend.DurationRange;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.streaming.api.TimeDomain;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.api.config.ExecutionConfigOptions;
import org.apache.flink.table.api.config.MLPredictRuntimeConfigOptions;

/**
 * What one call of {@code ML_PREDICT} asks for: the MAP of the call over the options of the model
 * over those of the session. Used by the planner's thread.
 */
final class PredictCall {

    /** What Flink's planner reads from the MAP, and what this provider adds to it. */
    private static final Set<String> KEYS =
            new TreeSet<>(
                    List.of(
                            MLPredictRuntimeConfigOptions.ASYNC.key(),
                            MLPredictRuntimeConfigOptions.ASYNC_OUTPUT_MODE.key(),
                            MLPredictRuntimeConfigOptions.ASYNC_MAX_CONCURRENT_OPERATIONS.key(),
                            MLPredictRuntimeConfigOptions.ASYNC_TIMEOUT.key(),
                            BATCH_SIZE.key(),
                            BATCH_TIMEOUT.key()));

    /** The longest deadline, which also stands for none: far from an overflow of the clock. */
    private static final int LONGEST_DAYS = 365;

    private final ReadableConfig model;
    private final ReadableConfig call;
    private final ReadableConfig session;

    PredictCall(ReadableConfig model, ReadableConfig call, ReadableConfig session) {
        this.model = model;
        this.call = call;
        this.session = session;
    }

    /**
     * @throws ValidationException if a value is out of its range or contradicts another
     */
    BatchSettings settings() {
        requireKnownKeys();
        int maxConcurrentOperations =
                call.getOptional(MLPredictRuntimeConfigOptions.ASYNC_MAX_CONCURRENT_OPERATIONS)
                        .orElseGet(
                                () ->
                                        session.get(
                                                ExecutionConfigOptions
                                                        .TABLE_EXEC_ASYNC_ML_PREDICT_MAX_CONCURRENT_OPERATIONS));
        if (maxConcurrentOperations < 1) {
            throw new ValidationException(
                    "'max-concurrent-operations' must be positive, got " + maxConcurrentOperations);
        }
        Duration rowTimeout =
                call.getOptional(MLPredictRuntimeConfigOptions.ASYNC_TIMEOUT)
                        .orElseGet(
                                () ->
                                        session.get(
                                                ExecutionConfigOptions
                                                        .TABLE_EXEC_ASYNC_ML_PREDICT_TIMEOUT));
        Duration batchTimeout =
                DurationRange.require(BATCH_TIMEOUT, callOrModel(BATCH_TIMEOUT), LONGEST_DAYS);
        int batchSize = batchSize(maxConcurrentOperations);
        return new BatchSettings(
                OutputMode.UNORDERED,
                batchSize,
                requireBefore(rowTimeout, BATCH_TIMEOUT, batchTimeout),
                deadlineMillis(rowTimeout, batchTimeout),
                // What the operator lets in fills so many; while they run, a batch takes more rows.
                (maxConcurrentOperations - 1) / batchSize + 1,
                AsyncBatchOptions.DEFAULT_MAX_BATCH_BYTES,
                TimeDomain.PROCESSING_TIME,
                BatchSettings.NO_LATENCY_TARGET,
                AsyncBatchOptions.DEFAULT_MAX_BYTES_IN_FLIGHT,
                false,
                FailureHandling.STRICT);
    }

    /** Flink itself ignores what it does not know. */
    private void requireKnownKeys() {
        for (String key : call.toMap().keySet()) {
            if (!KEYS.contains(key)) {
                throw new ValidationException(
                        "The MAP of ML_PREDICT has an option that nobody reads: '"
                                + key
                                + "'. It may hold "
                                + KEYS
                                + "; other options belong to the model.");
            }
        }
    }

    private int batchSize(int maxConcurrentOperations) {
        int batchSize = callOrModel(BATCH_SIZE);
        if (batchSize < 1) {
            throw new ValidationException("'batch-size' must be positive, got " + batchSize);
        }
        if (batchSize > maxConcurrentOperations) {
            throw new ValidationException(
                    ("'batch-size' is %d, and ML_PREDICT never has more than"
                                    + " 'max-concurrent-operations' = %d rows in flight: no batch"
                                    + " would ever be full. Raise that one, to some times the batch"
                                    + " size, in the MAP of ML_PREDICT or by '%s'.")
                            .formatted(
                                    batchSize,
                                    maxConcurrentOperations,
                                    ExecutionConfigOptions
                                            .TABLE_EXEC_ASYNC_ML_PREDICT_MAX_CONCURRENT_OPERATIONS
                                            .key()));
        }
        return batchSize;
    }

    private long deadlineMillis(Duration rowTimeout, Duration batchTimeout) {
        Duration timeout = model.get(TIMEOUT);
        if (timeout == null) {
            return Duration.ofDays(LONGEST_DAYS).toMillis();
        }
        DurationRange.require(TIMEOUT, timeout, LONGEST_DAYS);
        requireBefore(rowTimeout, TIMEOUT, timeout.plus(batchTimeout));
        return timeout.toMillis();
    }

    /** The row's timeout, which counts from its arrival, fails the job. */
    private static long requireBefore(
            Duration rowTimeout, ConfigOption<Duration> option, Duration latest) {
        if (rowTimeout.compareTo(Duration.ofMillis(1)) >= 0 && latest.compareTo(rowTimeout) >= 0) {
            throw new ValidationException(
                    ("'%s' would end %d ms after a row's arrival or later, and the timeout of"
                                    + " ML_PREDICT fails the job after %d ms. Raise that one, in the"
                                    + " MAP of ML_PREDICT or by '%s'.")
                            .formatted(
                                    option.key(),
                                    latest.toMillis(),
                                    rowTimeout.toMillis(),
                                    ExecutionConfigOptions.TABLE_EXEC_ASYNC_ML_PREDICT_TIMEOUT
                                            .key()));
        }
        return latest.toMillis();
    }

    private <T> T callOrModel(ConfigOption<T> option) {
        return call.getOptional(option).orElseGet(() -> model.get(option));
    }
}
