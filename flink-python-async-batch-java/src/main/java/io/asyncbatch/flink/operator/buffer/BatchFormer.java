package io.asyncbatch.flink.operator.buffer;

import io.asyncbatch.flink.operator.BatchSettings;
import java.util.concurrent.ScheduledFuture;
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
 * @param <IN> type of the inputs
 */
@Internal
public final class BatchFormer<IN> {

    private final BatchSettings settings;
    private final RowWeigher<IN> weigher;
    private final ProcessingTimeService timeService;
    private final ClosedBatchSink<IN> sink;

    private BatchRows<IN> rows;
    private long bytes;
    private long generation;
    private long openedNanos;
    @Nullable private ScheduledFuture<?> flushTimer;

    public BatchFormer(
            BatchSettings settings,
            RowWeigher<IN> weigher,
            ProcessingTimeService timeService,
            ClosedBatchSink<IN> sink) {
        this.settings = settings;
        this.weigher = weigher;
        this.timeService = timeService;
        this.sink = sink;
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
        long weight = weigh(value);
        if (rows.size() > 0 && weight > settings.maxBatchBytes() - bytes) {
            close(CloseReason.BYTES);
        }
        if (rows.size() == 0) {
            begin();
        }
        rows.add(value, record);
        bytes += weight;
        if (rows.size() == settings.batchSize()) {
            close(CloseReason.SIZE);
        } else if (bytes >= settings.maxBatchBytes()) {
            close(CloseReason.BYTES);
        }
        return weight;
    }

    /** Closes the batch if it has rows. */
    public void close(CloseReason reason) throws Exception {
        if (rows.size() == 0) {
            return;
        }
        cancelTimer();
        generation++;
        BatchRows<IN> closed = rows;
        rows = new BatchRows<>(settings.batchSize());
        bytes = 0;
        sink.accept(closed, reason, timeService.getClock().relativeTimeNanos() - openedNanos);
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

    private void begin() {
        openedNanos = timeService.getClock().relativeTimeNanos();
        if (settings.hasBatchTimeout()) {
            long owner = generation;
            flushTimer =
                    timeService.registerTimer(
                            timeService.getCurrentProcessingTime() + settings.batchTimeoutMillis(),
                            firedAt -> flush(owner));
        }
    }

    private void flush(long owner) throws Exception {
        if (owner == generation) {
            close(CloseReason.TIMEOUT);
        }
    }

    private long weigh(IN value) {
        long weight = weigher.weigh(value);
        if (weight < 0) {
            throw new IllegalStateException(
                    "the weight of a row must not be negative, got " + weight + " bytes");
        }
        return weight;
    }
}
