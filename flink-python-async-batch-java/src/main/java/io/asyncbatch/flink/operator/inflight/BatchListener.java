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

    /** The outcome of all rows of the batch is known; {@link Batch#isDone} holds. */
    void onDone(Batch<IN, OUT> batch) throws Exception;

    /** The outcome of some more rows of the batch is known, but not of all. */
    void onPartlyDone(Batch<IN, OUT> batch) throws Exception;

    /** A call was more than the function takes at once. */
    void onTooLarge(int rows, long bytes);

    /** A call for a whole batch succeeded. */
    void onSuccess(int rows, long bytes);

    /** Whether {@link #onSlotFree} is to be called as soon as that is so. */
    boolean awaitsSlot();

    /** A slot became free and no batch that waited took it. */
    void onSlotFree();

    /** The batch failed for good and the task has to. */
    void onFailure(Exception failure) throws Exception;
}
