package io.asyncbatch.flink.operator.flow;

import io.asyncbatch.flink.operator.buffer.BatchRows;
import io.asyncbatch.flink.operator.buffer.CloseReason;
import io.asyncbatch.flink.operator.buffer.RowTimestamps;
import io.asyncbatch.flink.operator.inflight.Batch;
import io.asyncbatch.flink.operator.inflight.RowOutput;
import io.asyncbatch.flink.operator.state.FailedRow;
import io.asyncbatch.flink.operator.state.SavedElement;
import java.util.List;
import java.util.function.Consumer;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.RecordAttributes;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;

/**
 * What rows go through, from their arrival until they leave. Owned by the mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public interface RowFlow<IN, OUT> {

    // ------------------------------------------------------------- coming in

    /**
     * Takes a row that has to be computed.
     *
     * @param value the row, which nobody changes any more
     * @param record the record it came in, for its timestamp
     * @return the row's weight in bytes
     */
    long add(IN value, StreamRecord<?> record) throws Exception;

    /** Takes restored results of neighbouring rows. */
    void addResults(List<OUT> results, RowTimestamps timestamps) throws Exception;

    /** Takes a restored row that will have no result. */
    void addFailed(BatchRows<IN> row, FailedRow failure) throws Exception;

    /** All restored rows have come, if there were any. Called once, before the first new one. */
    void restored() throws Exception;

    /** Event time went on. Closes what waits for that. */
    void onWatermark(long timestamp) throws Exception;

    /** Takes a watermark, behind all rows that have come. */
    void add(Watermark watermark);

    void add(WatermarkStatus status);

    void add(RecordAttributes attributes);

    /** Closes whatever is forming. */
    void close(CloseReason reason) throws Exception;

    /**
     * No more rows come until all batches have left. Closes what is forming if they wait for that
     * and for nothing else. To be called again after whatever happens.
     */
    void closeWhatBatchesWaitFor() throws Exception;

    /** Whether no more rows should come for now. */
    boolean isFull();

    // ---------------------------------------------------- what batches do

    /** A call took this long. */
    void onCallEnded(long nanos);

    /** Whether a batch that is forming would close if there were a free slot. */
    boolean awaitsSlot();

    /** A slot became free and no batch that waited took it. */
    void onSlotFree();

    /** The outcome of all rows of a batch is known. */
    void completed(Batch<IN, OUT> batch) throws Exception;

    /** The outcome of some more rows of a batch is known. */
    void partlyReady(Batch<IN, OUT> batch) throws Exception;

    // --------------------------------------------------------------- leaving

    boolean canEmit();

    /**
     * Lets what may leave do so.
     *
     * @param most rows and fences to emit at most
     */
    void emit(int most, RowOutput<OUT> output) throws Exception;

    /** Whether nothing is held back. */
    boolean isEmpty();

    /** Whether rows of batches are held back, rather than only those that are forming. */
    boolean hasBatches();

    /** Batches that are done and have not left entirely. Any thread may ask. */
    int heldBack();

    /** Rows that wait for the outcome of an equal one. Any thread may ask. */
    int following();

    // ----------------------------------------------------------------- state

    /** Saves all that has not left, in its order: results where they are known, else inputs. */
    void save(Consumer<SavedElement<IN, OUT>> snapshot);

    void cancelTimers();
}
