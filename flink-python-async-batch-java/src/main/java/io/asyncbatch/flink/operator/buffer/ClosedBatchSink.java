package io.asyncbatch.flink.operator.buffer;

import org.apache.flink.annotation.Internal;

/**
 * Takes the batches that a {@link BatchFormer} closes. Called by the mailbox thread.
 *
 * @param <IN> type of the inputs
 */
@Internal
@FunctionalInterface
public interface ClosedBatchSink<IN> {

    /**
     * @param rows the batch's rows, at least one; nobody changes them any more
     * @param reason why the batch closed
     * @param openedNanos when its first row came, by the monotonic clock
     */
    void accept(BatchRows<IN> rows, CloseReason reason, long openedNanos) throws Exception;
}
