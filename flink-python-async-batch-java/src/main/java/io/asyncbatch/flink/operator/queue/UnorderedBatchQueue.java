package io.asyncbatch.flink.operator.queue;

import io.asyncbatch.flink.operator.inflight.Batch;
import java.util.ArrayDeque;
import java.util.LinkedHashSet;

/**
 * Lets rows leave as their batches finish, but never across a fence. Owned by the mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
final class UnorderedBatchQueue<IN, OUT> extends BatchQueue<IN, OUT> {

    /** By position; a batch in the middle is removed as soon as it is empty, in constant time. */
    private final LinkedHashSet<Batch<IN, OUT>> batches = new LinkedHashSet<>();

    /** Done batches whose next row stands before the first fence, in the order they got there. */
    private final ArrayDeque<Batch<IN, OUT>> ready = new ArrayDeque<>();

    @Override
    void onCompleted(Batch<IN, OUT> batch) {
        if (batch.nextPosition() < fencePosition()) {
            ready.add(batch);
        }
    }

    @Override
    Iterable<Batch<IN, OUT>> batches() {
        return batches;
    }

    @Override
    void append(Batch<IN, OUT> batch) {
        batches.add(batch);
    }

    @Override
    void remove(Batch<IN, OUT> batch) {
        batches.remove(batch);
        ready.poll();
    }

    @Override
    Batch<IN, OUT> nextReady() {
        return ready.peek();
    }

    @Override
    void heldByFence(Batch<IN, OUT> batch) {
        ready.poll();
    }

    /** All rows before the passed fence have left, so nothing is ready but what it held back. */
    @Override
    void fencePassed(long nextFence) {
        for (Batch<IN, OUT> batch : batches) {
            if (batch.nextPosition() >= nextFence) {
                return;
            }
            if (batch.isDone()) {
                ready.add(batch);
            }
        }
    }
}
