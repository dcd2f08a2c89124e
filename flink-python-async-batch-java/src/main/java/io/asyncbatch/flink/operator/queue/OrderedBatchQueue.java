package io.asyncbatch.flink.operator.queue;

import io.asyncbatch.flink.operator.inflight.Batch;
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
    void onCompleted(Batch<IN, OUT> batch) {
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
        return head != null && head.isDone() ? head : null;
    }

    @Override
    void heldByFence(Batch<IN, OUT> batch) {
        // In this order the fence is next, so the batch goes on right after it.
    }

    @Override
    void fencePassed(long nextFence) {}
}
