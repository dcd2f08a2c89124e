package io.asyncbatch.flink.operator.queue;

import io.asyncbatch.flink.operator.inflight.Batch;
import java.util.List;

/**
 * The rows that a batch computes, and how many of them have yet to leave. Owned by the mailbox
 * thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
final class SeatedBatch<IN, OUT> {

    private final Batch<IN, OUT> batch;
    private final List<Seat<IN, OUT>> seats;
    private int remaining;

    /**
     * @param seats of the batch's rows, in their order
     */
    SeatedBatch(Batch<IN, OUT> batch, List<Seat<IN, OUT>> seats) {
        this.batch = batch;
        this.seats = seats;
        this.remaining = seats.size();
        seats.forEach(seat -> seat.seatIn(this));
    }

    Batch<IN, OUT> batch() {
        return batch;
    }

    List<Seat<IN, OUT>> seats() {
        return seats;
    }

    /** One of its rows left. True if that was the last. */
    boolean oneLeft() {
        return --remaining == 0;
    }
}
