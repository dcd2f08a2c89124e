package io.asyncbatch.flink.batchapi.operator;

import io.asyncbatch.flink.batchapi.job.WaitingRow;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ScheduledFuture;
import javax.annotation.Nullable;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.util.function.ThrowingConsumer;

/**
 * Gathers rows until they make a batch: enough of them, as many bytes as a file may have, or some
 * time after the first. Owned by the mailbox thread.
 *
 * @param <IN> type of the inputs
 */
final class RowBuffer<IN> {

    private final int mostRows;
    private final long mostBytes;
    private final long fillMillis;
    private final ProcessingTimeService timeService;
    private final ThrowingConsumer<List<WaitingRow<IN>>, Exception> closed;

    private List<WaitingRow<IN>> rows = new ArrayList<>();
    private long bytes;

    /** Of the batch that is forming, so that a timer that fires too late closes no later one. */
    private long generation;

    @Nullable private ScheduledFuture<?> timer;

    RowBuffer(
            int mostRows,
            long mostBytes,
            long fillMillis,
            ProcessingTimeService timeService,
            ThrowingConsumer<List<WaitingRow<IN>>, Exception> closed) {
        this.mostRows = mostRows;
        this.mostBytes = mostBytes;
        this.fillMillis = fillMillis;
        this.timeService = timeService;
        this.closed = closed;
    }

    /**
     * @param lineBytes what the row takes in a file, no more than a file may have
     */
    void add(WaitingRow<IN> row, long lineBytes) throws Exception {
        if (bytes + lineBytes > mostBytes) {
            close();
        }
        if (rows.isEmpty()) {
            armTimer();
        }
        rows.add(row);
        bytes += lineBytes;
        if (rows.size() == mostRows) {
            close();
        }
    }

    /** Rows that are in no batch yet. */
    List<WaitingRow<IN>> rows() {
        return rows;
    }

    void close() throws Exception {
        cancelTimer();
        if (rows.isEmpty()) {
            return;
        }
        List<WaitingRow<IN>> batch = rows;
        rows = new ArrayList<>();
        bytes = 0;
        generation++;
        closed.accept(batch);
    }

    void cancelTimer() {
        if (timer != null) {
            timer.cancel(false);
            timer = null;
        }
    }

    private void armTimer() {
        long armedFor = generation;
        timer =
                timeService.registerTimer(
                        timeService.getCurrentProcessingTime() + fillMillis,
                        firedAt -> {
                            if (generation == armedFor) {
                                close();
                            }
                        });
    }
}
