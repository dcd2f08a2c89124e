package io.asyncbatch.flink.operator.buffer;

import io.asyncbatch.flink.RowGrouping;
import io.asyncbatch.flink.operator.BatchSettings;
import java.util.concurrent.ScheduledFuture;
import java.util.function.BooleanSupplier;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;

/**
 * Gathers rows until their batch closes. Owned by the mailbox thread.
 *
 * <p>The flush timer belongs to one generation, that is to one batch. A timer that was cancelled
 * too late, because its callback already waited in the mailbox, finds another generation and does
 * nothing.
 *
 * <p>A batch whose time has come while no slot is free closes only when one is, or when it is full:
 * until then it could only wait in line, and takes more rows instead.
 *
 * @param <IN> type of the inputs
 */
@Internal
public final class BatchFormer<IN> {

    /** Long enough for thousands of rows that wait before the operator, else not noticed. */
    static final long CATCH_UP_MILLIS = 1;

    private final BatchSettings settings;
    private final RowWeigher<IN> weigher;
    private final BatchWeights<IN> weights;
    private final ProcessingTimeService timeService;
    private final LearnedLimit limit;
    private final BooleanSupplier slotIsFree;
    private final ClosedBatchSink<IN> sink;
    @Nullable private final LatencyBudget latencyBudget;

    private BatchRows<IN> rows;
    private long generation;
    private long openedNanos;
    private boolean overdue;
    @Nullable private ScheduledFuture<?> flushTimer;

    /** A former of batches whose rows the user does not weigh. */
    public BatchFormer(
            BatchSettings settings,
            RowWeigher<IN> weigher,
            ProcessingTimeService timeService,
            LearnedLimit limit,
            BooleanSupplier slotIsFree,
            ClosedBatchSink<IN> sink) {
        this(
                settings,
                weigher,
                new BatchWeights<>(RowGrouping.none()),
                timeService,
                limit,
                slotIsFree,
                sink);
    }

    /**
     * @param weights what rows weigh beside their bytes
     * @param limit how large batches may be; never more than the settings allow
     * @param slotIsFree whether a batch that closed now would be invoked now
     */
    public BatchFormer(
            BatchSettings settings,
            RowWeigher<IN> weigher,
            BatchWeights<IN> weights,
            ProcessingTimeService timeService,
            LearnedLimit limit,
            BooleanSupplier slotIsFree,
            ClosedBatchSink<IN> sink) {
        this.settings = settings;
        this.weigher = weigher;
        this.weights = weights;
        this.timeService = timeService;
        this.limit = limit;
        this.slotIsFree = slotIsFree;
        this.sink = sink;
        this.latencyBudget =
                settings.hasLatencyTarget()
                        ? new LatencyBudget(settings.latencyTargetMillis())
                        : null;
        this.rows = new BatchRows<>(settings.batchSize());
    }

    /**
     * Adds a row. Closes the batch before the row if the row would be too much for it, and after it
     * if the batch is full.
     *
     * @param value the row, which nobody changes any more
     * @param record the record it came in, for its timestamp
     * @return the row's weight in bytes
     */
    public long add(IN value, StreamRecord<?> record) throws Exception {
        return add(value, record, bytesOf(value), weights.of(value));
    }

    /**
     * Adds a row whose weights are known.
     *
     * @param bytes as {@link #bytesOf} says
     * @param weight as the user's function says
     */
    public long add(IN value, StreamRecord<?> record, long bytes, long weight) throws Exception {
        if (bytes > limit.bytes() - rows.bytes()) {
            close(CloseReason.BYTES);
        } else if (weight > weights.most() - rows.weight()) {
            close(CloseReason.WEIGHT);
        }
        if (rows.size() == 0) {
            begin(record);
        }
        rows.add(value, record, bytes, weight);
        if (rows.size() >= limit.rows()) {
            close(CloseReason.SIZE);
        } else if (rows.bytes() >= limit.bytes()) {
            close(CloseReason.BYTES);
        } else if (rows.weight() >= weights.most()) {
            close(CloseReason.WEIGHT);
        } else if (rows.size() == 1) {
            startTimer();
        }
        return bytes;
    }

    /** Closes the batch if it has rows. */
    public void close(CloseReason reason) throws Exception {
        if (rows.size() == 0) {
            return;
        }
        cancelTimer();
        generation++;
        overdue = false;
        BatchRows<IN> closed = rows;
        rows = new BatchRows<>(settings.batchSize());
        sink.accept(closed, reason, openedNanos);
    }

    /**
     * A slot became free and no closed batch took it. Closes the batch if it waits for that, but
     * not at once: input was held back until now, and whatever is there fills the batch first.
     */
    public void onSlotFree() {
        if (overdue) {
            overdue = false;
            flushIn(CATCH_UP_MILLIS);
        }
    }

    /** Whether the batch that is open would close if there were a free slot. */
    public boolean awaitsSlot() {
        return overdue;
    }

    /** The rows of the batch that is still open. */
    public BatchRows<IN> rows() {
        return rows;
    }

    public void cancelTimer() {
        if (flushTimer != null) {
            flushTimer.cancel(false);
            flushTimer = null;
        }
    }

    /** A call took this long, so rows that come now have the less time to wait. */
    public void onCallEnded(long nanos) {
        if (latencyBudget != null) {
            latencyBudget.observe(nanos);
        }
    }

    /** Event time went on. Closes the batch if that is what it waits for. */
    public void onWatermark(long timestamp) throws Exception {
        if (settings.closesByEventTime() && rows.size() > 0 && timestamp >= dueTimestamp()) {
            closeOnceASlotIsFree();
        }
    }

    private long dueTimestamp() {
        long first = rows.timestamps().get(0);
        long due = first + settings.batchTimeoutMillis();
        return due < first ? Long.MAX_VALUE : due;
    }

    private void begin(StreamRecord<?> first) {
        openedNanos = timeService.getClock().relativeTimeNanos();
        if (settings.closesByEventTime() && !first.hasTimestamp()) {
            throw new IllegalStateException(
                    "a row has no timestamp, but batch_time_domain is EVENT_TIME:"
                            + " assign timestamps and watermarks before the batching operator");
        }
    }

    /** Not before it is known that the batch stays open: a timer costs more than many rows. */
    private void startTimer() {
        if (settings.closesByProcessingTime() || latencyBudget != null) {
            flushIn(longestOpenMillis());
        }
    }

    private long longestOpenMillis() {
        long most =
                settings.closesByProcessingTime() ? settings.batchTimeoutMillis() : Long.MAX_VALUE;
        return latencyBudget == null ? most : Math.min(most, latencyBudget.formingMillis());
    }

    private void flushIn(long millis) {
        // Of a latency target, when event time has come first.
        cancelTimer();
        long owner = generation;
        flushTimer =
                timeService.registerTimer(
                        timeService.getCurrentProcessingTime() + millis, firedAt -> flush(owner));
    }

    private void flush(long owner) throws Exception {
        if (owner == generation) {
            closeOnceASlotIsFree();
        }
    }

    private void closeOnceASlotIsFree() throws Exception {
        if (slotIsFree.getAsBoolean()) {
            close(CloseReason.TIMEOUT);
        } else {
            overdue = true;
        }
    }

    /** What the row weighs in bytes, by estimate. */
    public long bytesOf(IN value) {
        long bytes = weigher.weigh(value);
        if (bytes < 0) {
            throw new IllegalStateException(
                    "the weight of a row must not be negative, got " + bytes + " bytes");
        }
        return bytes;
    }
}
