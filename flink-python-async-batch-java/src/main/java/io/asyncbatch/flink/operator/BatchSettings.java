package io.asyncbatch.flink.operator;

import java.io.Serializable;
import java.util.Objects;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.TimeDomain;

/**
 * What the user asked of one batching operator. Immutable; checked when it is made, so that a wrong
 * value is refused while the job graph is built.
 *
 * @param outputMode order in which results leave
 * @param batchSize most rows of one batch, at least 1
 * @param batchTimeoutMillis a batch closes this long after its first row; {@link #NO_BATCH_TIMEOUT}
 *     to wait for more rows or the end of input
 * @param timeoutMillis deadline of a batch from its dispatch, over all attempts, at least 1
 * @param capacity most batches that are invoked or await emission, at least 1
 * @param maxBatchBytes a batch closes before a row that would take it past this size, at least 1
 * @param batchTimeDomain the time that {@code batchTimeoutMillis} is measured in
 * @param latencyTargetMillis a batch closes early enough for its first row to have its result this
 *     long after it came, as far as the time of the last calls tells; {@link #NO_LATENCY_TARGET}
 * @param maxBytesInFlight batches wait while those invoked or awaiting emission would weigh more
 *     than this with them; at least {@code maxBatchBytes}
 * @param drainAtCheckpoint a barrier waits until the batches that are invoked or await emission
 *     have left; in ordered mode only
 * @param failureHandling what becomes of calls that fail
 * @param overload how much the backend is asked to do at a time
 */
@Internal
public record BatchSettings(
        OutputMode outputMode,
        int batchSize,
        long batchTimeoutMillis,
        long timeoutMillis,
        int capacity,
        long maxBatchBytes,
        TimeDomain batchTimeDomain,
        long latencyTargetMillis,
        long maxBytesInFlight,
        boolean drainAtCheckpoint,
        FailureHandling failureHandling,
        OverloadSettings overload)
        implements Serializable {

    /** Value of {@link #batchTimeoutMillis} when a partial batch never closes by time. */
    public static final long NO_BATCH_TIMEOUT = 0;

    /** Value of {@link #latencyTargetMillis} when only {@link #batchTimeoutMillis} counts. */
    public static final long NO_LATENCY_TARGET = 0;

    /** Order in which results leave the operator. */
    public enum OutputMode {
        ORDERED,
        UNORDERED
    }

    public BatchSettings {
        if (outputMode == null) {
            throw new IllegalArgumentException("output mode must be ORDERED or UNORDERED");
        }
        requireAtLeastOne("batch_size", batchSize);
        requireAtLeastOne("timeout", timeoutMillis);
        requireAtLeastOne("capacity", capacity);
        requireAtLeastOne("max_batch_bytes", maxBatchBytes);
        if (batchTimeoutMillis < NO_BATCH_TIMEOUT) {
            throw new IllegalArgumentException(
                    "batch_timeout must be positive, got " + batchTimeoutMillis + " ms");
        }
        if (batchTimeDomain == TimeDomain.EVENT_TIME && batchTimeoutMillis == NO_BATCH_TIMEOUT) {
            throw new IllegalArgumentException(
                    "batch_time_domain=EVENT_TIME needs a batch_timeout, and has none");
        }
        if (latencyTargetMillis < NO_LATENCY_TARGET) {
            throw new IllegalArgumentException(
                    "latency_target must be positive, got " + latencyTargetMillis + " ms");
        }
        Objects.requireNonNull(failureHandling, "failure handling");
        overload.requireFits(capacity, timeoutMillis, failureHandling);
        if (maxBytesInFlight < maxBatchBytes) {
            throw new IllegalArgumentException(
                    "max_bytes_in_flight must be at least max_batch_bytes="
                            + maxBatchBytes
                            + ", got "
                            + maxBytesInFlight);
        }
        if (drainAtCheckpoint && outputMode != OutputMode.ORDERED) {
            throw new IllegalArgumentException(
                    "drainAtCheckpoint needs ordered results, and they are " + outputMode);
        }
    }

    /** Settings whose batches close by processing time alone and weigh what they will. */
    public BatchSettings(
            OutputMode outputMode,
            int batchSize,
            long batchTimeoutMillis,
            long timeoutMillis,
            int capacity,
            long maxBatchBytes) {
        this(
                outputMode,
                batchSize,
                batchTimeoutMillis,
                timeoutMillis,
                capacity,
                maxBatchBytes,
                TimeDomain.PROCESSING_TIME,
                NO_LATENCY_TARGET,
                Long.MAX_VALUE,
                false,
                FailureHandling.STRICT);
    }

    /** Settings whose calls are bounded by {@code capacity} alone. */
    public BatchSettings(
            OutputMode outputMode,
            int batchSize,
            long batchTimeoutMillis,
            long timeoutMillis,
            int capacity,
            long maxBatchBytes,
            TimeDomain batchTimeDomain,
            long latencyTargetMillis,
            long maxBytesInFlight,
            boolean drainAtCheckpoint,
            FailureHandling failureHandling) {
        this(
                outputMode,
                batchSize,
                batchTimeoutMillis,
                timeoutMillis,
                capacity,
                maxBatchBytes,
                batchTimeDomain,
                latencyTargetMillis,
                maxBytesInFlight,
                drainAtCheckpoint,
                failureHandling,
                OverloadSettings.NONE);
    }

    /** Whether batches close by a timer of processing time. */
    public boolean closesByProcessingTime() {
        return batchTimeoutMillis != NO_BATCH_TIMEOUT
                && batchTimeDomain == TimeDomain.PROCESSING_TIME;
    }

    /** Whether batches close by watermarks. */
    public boolean closesByEventTime() {
        return batchTimeDomain == TimeDomain.EVENT_TIME;
    }

    public boolean hasLatencyTarget() {
        return latencyTargetMillis != NO_LATENCY_TARGET;
    }

    private static void requireAtLeastOne(String option, long value) {
        if (value < 1) {
            throw new IllegalArgumentException(option + " must be positive, got " + value);
        }
    }
}
