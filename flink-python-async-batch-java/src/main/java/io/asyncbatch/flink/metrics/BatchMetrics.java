package io.asyncbatch.flink.metrics;

import io.asyncbatch.flink.FailureKind;
import io.asyncbatch.flink.operator.buffer.CloseReason;
import java.util.EnumMap;
import java.util.Map;
import java.util.function.IntSupplier;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.metrics.DescriptiveStatisticsHistogram;

/**
 * The metrics of one batching operator, listed in {@code docs/metrics.md}. Updated by the mailbox
 * thread alone; Flink's reporters read them from theirs.
 *
 * <p>All times are differences of a monotonic clock that the caller reads.
 */
@Internal
public final class BatchMetrics {

    private static final int HISTOGRAM_WINDOW = 1_000;
    private static final long NANOS_PER_MILLI = 1_000_000;

    private final Histogram batchSize;
    private final Histogram batchBytes;
    private final Histogram batchLatencyMs;
    private final Histogram queueWaitMs;
    private final Histogram asyncCallDurationMs;
    private final Histogram batchEndToEndLatencyMs;
    private final Counter totalBatchesProcessed;
    private final Counter totalRecordsProcessed;
    private final Counter asyncCallFailures;
    private final Counter batchRetryCount;
    private final Counter batchTimeoutCount;
    private final Counter lateResultsDropped;
    private final Counter inputHeldTimeMs;
    private final Map<CloseReason, Counter> closedBy = new EnumMap<>(CloseReason.class);
    private final Map<FailureKind, Counter> failedBy = new EnumMap<>(FailureKind.class);
    private final Map<FailureKind, Counter> rowsFailedBy = new EnumMap<>(FailureKind.class);
    private final Counter batchesSplit;
    private final Counter callsLostWithWorker;
    private final Counter coalescedRows;

    private long inputHeldNanos;

    /**
     * @param capacity most batches that may be invoked or await emission
     * @param inflight what is invoked or awaits emission, read by the reporters' threads
     * @param pendingOrdered batches that are done and held back, read by the reporters' threads
     * @param following rows that wait for the outcome of equal ones, read by the reporters' threads
     * @param batchSizeLimit most rows of a batch as learned, read by the reporters' threads
     * @param batchBytesLimit most bytes of a batch as learned, read by the reporters' threads
     */
    public BatchMetrics(
            MetricGroup group,
            int capacity,
            Supplier<InflightLoad> inflight,
            IntSupplier pendingOrdered,
            IntSupplier following,
            IntSupplier batchSizeLimit,
            LongSupplier batchBytesLimit) {
        batchSize = histogram(group, "batchSize");
        batchBytes = histogram(group, "batchBytes");
        batchLatencyMs = histogram(group, "batchLatencyMs");
        queueWaitMs = histogram(group, "queueWaitMs");
        asyncCallDurationMs = histogram(group, "asyncCallDurationMs");
        batchEndToEndLatencyMs = histogram(group, "batchEndToEndLatencyMs");
        totalBatchesProcessed = group.counter("totalBatchesProcessed");
        totalRecordsProcessed = group.counter("totalRecordsProcessed");
        asyncCallFailures = group.counter("asyncCallFailures");
        batchRetryCount = group.counter("batchRetryCount");
        batchTimeoutCount = group.counter("batchTimeoutCount");
        lateResultsDropped = group.counter("lateResultsDropped");
        inputHeldTimeMs = group.counter("inputHeldTimeMs");
        batchesSplit = group.counter("batchesSplit");
        callsLostWithWorker = group.counter("callsLostWithWorker");
        coalescedRows = group.counter("coalescedRows");
        for (CloseReason reason : CloseReason.values()) {
            closedBy.put(reason, group.counter(nameOf(reason)));
        }
        for (FailureKind kind : FailureKind.values()) {
            failedBy.put(kind, group.counter(nameOf(kind)));
            rowsFailedBy.put(kind, group.counter(nameOfRows(kind)));
        }
        Gauge<Integer> places = () -> capacity;
        Gauge<Integer> batches = () -> inflight.get().batches();
        Gauge<Long> rows = () -> inflight.get().rows();
        Gauge<Long> bytes = () -> inflight.get().bytes();
        Gauge<Integer> pending = pendingOrdered::getAsInt;
        group.gauge("capacity", places);
        group.gauge("inflightBatches", batches);
        group.gauge("inflightRecords", rows);
        group.gauge("inflightBytes", bytes);
        group.gauge("pendingOrderedBatches", pending);
        Gauge<Integer> followers = following::getAsInt;
        group.gauge("followingRows", followers);
        Gauge<Integer> limit = batchSizeLimit::getAsInt;
        group.gauge("learnedBatchSize", limit);
        Gauge<Long> bytesLimit = batchBytesLimit::getAsLong;
        group.gauge("learnedBatchBytes", bytesLimit);
    }

    private static String nameOf(CloseReason reason) {
        return switch (reason) {
            case SIZE -> "batchesClosedBySize";
            case BYTES -> "batchesClosedByBytes";
            case WEIGHT -> "batchesClosedByWeight";
            case TIMEOUT -> "batchesClosedByTimeout";
            case WAITED_FOR -> "batchesClosedForWaitingRows";
            case END_OF_INPUT -> "batchesClosedByEndOfInput";
            case RESTORE -> "batchesClosedByRestore";
        };
    }

    private static String nameOf(FailureKind kind) {
        return switch (kind) {
            case EXCEPTION -> "batchesFailedByException";
            case INVALID_RESULT -> "batchesFailedByInvalidResult";
            case TIMEOUT -> "batchesFailedByTimeout";
            case ROW_FAILURE -> "batchesFailedByRow";
            case TOO_LARGE -> "batchesFailedBySize";
            case WORKER_LOST -> "batchesFailedByWorker";
            case CIRCUIT_OPEN -> "batchesFailedByOpenCircuit";
            case INVOKER -> "batchesFailedByInvoker";
        };
    }

    private static String nameOfRows(FailureKind kind) {
        return switch (kind) {
            case EXCEPTION -> "rowsFailedByException";
            case INVALID_RESULT -> "rowsFailedByInvalidResult";
            case TIMEOUT -> "rowsFailedByTimeout";
            case ROW_FAILURE -> "rowsFailedByFunction";
            case TOO_LARGE -> "rowsFailedBySize";
            case WORKER_LOST -> "rowsFailedByWorker";
            case CIRCUIT_OPEN -> "rowsFailedByOpenCircuit";
            case INVOKER -> "rowsFailedByInvoker";
        };
    }

    /** A batch closed, this long after its first row. */
    public void batchClosed(int rows, long bytes, CloseReason reason, long openNanos) {
        batchSize.update(rows);
        batchBytes.update(bytes);
        batchLatencyMs.update(openNanos / NANOS_PER_MILLI);
        closedBy.get(reason).inc();
    }

    /** A batch got a slot, this long after it closed. */
    public void batchDispatched(long waitedNanos) {
        queueWaitMs.update(waitedNanos / NANOS_PER_MILLI);
    }

    /** A call reported before the deadline, this long after it began. */
    public void callEnded(long durationNanos) {
        asyncCallDurationMs.update(durationNanos / NANOS_PER_MILLI);
    }

    /** A call ended in a way that has it repeated. */
    public void callRepeated(boolean failed) {
        batchRetryCount.inc();
        if (failed) {
            asyncCallFailures.inc();
        }
    }

    public void batchTimedOut() {
        batchTimeoutCount.inc();
    }

    public void lateResultDropped() {
        lateResultsDropped.inc();
    }

    /** A batch failed for good, and the task with it. */
    public void batchFailed(FailureKind kind) {
        failedBy.get(kind).inc();
        if (kind != FailureKind.INVOKER && kind != FailureKind.CIRCUIT_OPEN) {
            asyncCallFailures.inc();
        }
    }

    /** Rows of a call have no result for good, and the task goes on. */
    public void rowsFailed(FailureKind kind, int rows) {
        rowsFailedBy.get(kind).inc(rows);
    }

    /** Rows took the outcome of an equal one. */
    public void rowsCoalesced(int rows) {
        coalescedRows.inc(rows);
    }

    /** A call failed, and its rows are parted in two. */
    public void batchSplit() {
        batchesSplit.inc();
        asyncCallFailures.inc();
    }

    /** A call was under way in a worker that died, and is made again in the next one. */
    public void callLost() {
        callsLostWithWorker.inc();
    }

    /** A call failed for rows that the task goes on without. */
    public void callFailed() {
        asyncCallFailures.inc();
    }

    /** A batch has its results, from its invocation or from its timeout handler. */
    public void batchDone(int rows) {
        totalBatchesProcessed.inc();
        totalRecordsProcessed.inc(rows);
    }

    /** The last result of a batch left, this long after its first row came. */
    public void batchLeft(long nanos) {
        batchEndToEndLatencyMs.update(nanos / NANOS_PER_MILLI);
    }

    /** Input was held back for this long, as no slot was free. */
    public void inputHeld(long nanos) {
        inputHeldNanos += nanos;
        inputHeldTimeMs.inc(inputHeldNanos / NANOS_PER_MILLI - inputHeldTimeMs.getCount());
    }

    private static Histogram histogram(MetricGroup group, String name) {
        return group.histogram(name, new DescriptiveStatisticsHistogram(HISTOGRAM_WINDOW));
    }
}
