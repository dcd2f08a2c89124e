package io.asyncbatch.flink.operator.queue;

import io.asyncbatch.flink.operator.inflight.Batch;
import io.asyncbatch.flink.operator.inflight.RowOutput;
import java.util.ArrayDeque;

/**
 * Lets rows leave in the order in which they arrived. Owned by the mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
final class OrderedBatchQueue<IN, OUT> extends BatchQueue<IN, OUT> {

    private final ArrayDeque<Batch<IN, OUT>> batches = new ArrayDeque<>();

    @Override
    void onReady(Batch<IN, OUT> batch) {
        // The head of the queue is looked at whenever something may leave.
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
        batches.poll();
    }

    @Override
    Batch<IN, OUT> nextReady() {
        Batch<IN, OUT> head = batches.peek();
        return head != null && head.leaving().hasReady(fencePosition(), true) ? head : null;
    }

    @Override
    int emitReady(Batch<IN, OUT> batch, int most, RowOutput<OUT> output) {
        return batch.leaving().emit(most, fencePosition(), true, output);
    }

    @Override
    void someLeft(Batch<IN, OUT> batch) {
        // What comes next is a row of the same batch, or a fence.
    }

    @Override
    void fencePassed(long nextFence) {}
}
