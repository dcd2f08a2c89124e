package io.asyncbatch.flink.metrics;

import io.asyncbatch.flink.operator.buffer.CloseReason;
import java.util.EnumMap;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.metrics.DescriptiveStatisticsHistogram;

/**
 * The metrics of one batching operator. Updated by the mailbox thread alone; Flink's reporters read
 * them from theirs.
 *
 * <p>All times are differences of a monotonic clock that the caller reads.
 */
@Internal
public final class BatchMetrics {

    public static final String BATCH_SIZE = "batchSize";
    public static final String BATCH_LATENCY_MS = "batchLatencyMs";
    public static final String ASYNC_CALL_DURATION_MS = "asyncCallDurationMs";
    public static final String INFLIGHT_BATCHES = "inflightBatches";
    public static final String TOTAL_BATCHES_PROCESSED = "totalBatchesProcessed";
    public static final String TOTAL_RECORDS_PROCESSED = "totalRecordsProcessed";
    public static final String ASYNC_CALL_FAILURES = "asyncCallFailures";
    public static final String BATCH_TIMEOUT_COUNT = "batchTimeoutCount";
    public static final String LATE_RESULTS_DROPPED = "lateResultsDropped";

    private static final int HISTOGRAM_WINDOW = 1_000;
    private static final long NANOS_PER_MILLI = 1_000_000;

    private final Histogram batchSize;
    private final Histogram batchLatencyMs;
    private final Histogram asyncCallDurationMs;
    private final Counter totalBatchesProcessed;
    private final Counter totalRecordsProcessed;
    private final Counter asyncCallFailures;
    private final Counter batchTimeoutCount;
    private final Counter lateResultsDropped;
    private final Map<CloseReason, Counter> closedBy = new EnumMap<>(CloseReason.class);

    /**
     * @param inflightBatches batches that are invoked or await emission, read by the reporters'
     *     threads
     */
    public BatchMetrics(MetricGroup group, Gauge<Integer> inflightBatches) {
        batchSize = histogram(group, BATCH_SIZE);
        batchLatencyMs = histogram(group, BATCH_LATENCY_MS);
        asyncCallDurationMs = histogram(group, ASYNC_CALL_DURATION_MS);
        totalBatchesProcessed = group.counter(TOTAL_BATCHES_PROCESSED);
        totalRecordsProcessed = group.counter(TOTAL_RECORDS_PROCESSED);
        asyncCallFailures = group.counter(ASYNC_CALL_FAILURES);
        batchTimeoutCount = group.counter(BATCH_TIMEOUT_COUNT);
        lateResultsDropped = group.counter(LATE_RESULTS_DROPPED);
        for (CloseReason reason : CloseReason.values()) {
            closedBy.put(reason, group.counter(closedByName(reason)));
        }
        group.gauge(INFLIGHT_BATCHES, inflightBatches);
    }

    /** Name of the counter of batches that closed for this reason. */
    public static String closedByName(CloseReason reason) {
        return switch (reason) {
            case SIZE -> "batchesClosedBySize";
            case BYTES -> "batchesClosedByBytes";
            case TIMEOUT -> "batchesClosedByTimeout";
            case END_OF_INPUT -> "batchesClosedByEndOfInput";
            case RESTORE -> "batchesClosedByRestore";
        };
    }

    /** A batch closed, this long after its first row. */
    public void batchClosed(int rows, CloseReason reason, long openNanos) {
        batchSize.update(rows);
        batchLatencyMs.update(openNanos / NANOS_PER_MILLI);
        closedBy.get(reason).inc();
    }

    /** An invocation reported before its deadline, this long after its dispatch. */
    public void callEnded(long durationNanos) {
        asyncCallDurationMs.update(durationNanos / NANOS_PER_MILLI);
    }

    public void callFailed() {
        asyncCallFailures.inc();
    }

    public void batchTimedOut() {
        batchTimeoutCount.inc();
    }

    public void lateResultDropped() {
        lateResultsDropped.inc();
    }

    /** A batch has its results, from its invocation or from its timeout handler. */
    public void batchDone(int rows) {
        totalBatchesProcessed.inc();
        totalRecordsProcessed.inc(rows);
    }

    private static Histogram histogram(MetricGroup group, String name) {
        return group.histogram(name, new DescriptiveStatisticsHistogram(HISTOGRAM_WINDOW));
    }
}
