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
     * @param openNanos how long the batch was open, from its first row
     */
    void accept(BatchRows<IN> rows, CloseReason reason, long openNanos) throws Exception;
}
