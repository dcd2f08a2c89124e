package io.asyncbatch.flink.operator.queue;

import io.asyncbatch.flink.operator.inflight.Batch;
import io.asyncbatch.flink.operator.inflight.RowOutput;
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

    /** Batches with a row that may leave before the first fence, in the order they got there. */
    private final LinkedHashSet<Batch<IN, OUT>> ready = new LinkedHashSet<>();

    @Override
    void onReady(Batch<IN, OUT> batch) {
        if (batch.leaving().hasReady(fencePosition(), false)) {
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
        ready.remove(batch);
    }

    @Override
    Batch<IN, OUT> nextReady() {
        return ready.isEmpty() ? null : ready.iterator().next();
    }

    @Override
    int emitReady(Batch<IN, OUT> batch, int most, RowOutput<OUT> output) {
        return batch.leaving().emit(most, fencePosition(), false, output);
    }

    @Override
    void someLeft(Batch<IN, OUT> batch) {
        if (!batch.leaving().hasReady(fencePosition(), false)) {
            ready.remove(batch);
        }
    }

    /** All rows before the passed fence have left, so nothing is ready but what it held back. */
    @Override
    void fencePassed(long nextFence) {
        for (Batch<IN, OUT> batch : batches) {
            if (batch.leaving().nextPosition() >= nextFence) {
                return;
            }
            onReady(batch);
        }
    }
}
