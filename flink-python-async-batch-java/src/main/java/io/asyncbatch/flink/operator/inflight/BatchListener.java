package io.asyncbatch.flink.operator.inflight;

import org.apache.flink.annotation.Internal;

/**
 * Is told how batches end. Called by the mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public interface BatchListener<IN, OUT> {

    /** An attempt reported, before the deadline and this long after it began. */
    void onCallEnded(long nanos);

    /** The batch's results are there; {@link Batch#isDone} holds. */
    void onDone(Batch<IN, OUT> batch) throws Exception;

    /** A slot became free and no batch that waited took it. */
    void onSlotFree();

    /** The batch failed for good and the task has to. */
    void onFailure(Exception failure) throws Exception;
}
