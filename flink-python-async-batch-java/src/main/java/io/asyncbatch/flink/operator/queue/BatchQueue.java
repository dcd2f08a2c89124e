package io.asyncbatch.flink.operator.queue;

import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import io.asyncbatch.flink.operator.buffer.BatchRows;
import io.asyncbatch.flink.operator.buffer.RowTimestamps;
import io.asyncbatch.flink.operator.inflight.Batch;
import io.asyncbatch.flink.operator.inflight.LeavingRows;
import io.asyncbatch.flink.operator.inflight.RowOutput;
import io.asyncbatch.flink.operator.state.SavedElement;
import java.util.function.Consumer;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.RecordAttributes;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;

/**
 * Decides what may leave the operator next. Owned by the mailbox thread.
 *
 * <p>Every row has a position in the operator's row sequence, a batch is a run of positions, and a
 * fence (a watermark, say) stands before a position. No row at or after the first fence ever leaves
 * before it, so the fence's turn has come exactly when as many rows have left as stand before it.
 * That needs no bookkeeping per row, and lets a batch span fences.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public abstract class BatchQueue<IN, OUT> {

    /** Takes note that all results of a batch have left. */
    @FunctionalInterface
    public interface EmptiedListener<IN, OUT> {
        void onEmptied(Batch<IN, OUT> batch) throws Exception;
    }

    private final Fences fences = new Fences();
    private long addedRows;
    private long emittedRows;

    /** Written by the mailbox thread alone, read by metric reporters too. */
    private volatile int heldBack;

    BatchQueue() {}

    public static <IN, OUT> BatchQueue<IN, OUT> create(OutputMode mode) {
        return switch (mode) {
            case ORDERED -> new OrderedBatchQueue<>();
            case UNORDERED -> new UnorderedBatchQueue<>();
        };
    }

    /** Adds a batch behind all others, whether it is done or not. */
    public void add(Batch<IN, OUT> batch) {
        batch.leaving().placeAt(addedRows);
        addedRows += batch.size();
        append(batch);
        if (batch.isDone()) {
            completed(batch);
        }
    }

    /** All rows of a batch of this queue have their outcome. */
    public final void completed(Batch<IN, OUT> batch) {
        heldBack++;
        onReady(batch);
    }

    /** Some rows of a batch of this queue have their outcome, others have not. */
    public final void partlyReady(Batch<IN, OUT> batch) {
        onReady(batch);
    }

    /** Batches that are done and have not left entirely. Any thread may ask. */
    public int heldBack() {
        return heldBack;
    }

    /**
     * Adds a watermark behind all rows that have arrived.
     *
     * @param formingRows rows that have arrived and are in no batch yet
     */
    public void add(Watermark watermark, int formingRows) {
        fences.at(addedRows + formingRows).add(watermark);
    }

    public void add(WatermarkStatus status, int formingRows) {
        fences.at(addedRows + formingRows).add(status);
    }

    public void add(RecordAttributes attributes, int formingRows) {
        fences.at(addedRows + formingRows).add(attributes);
    }

    /** Whether nothing is held back. */
    public boolean isEmpty() {
        return emittedRows == addedRows && fences.isEmpty();
    }

    /** Whether rows of batches are held back, rather than only what comes after a forming one's. */
    public boolean hasBatches() {
        return emittedRows < addedRows;
    }

    public boolean canEmit() {
        return fenceIsNext() || nextReady() != null;
    }

    /**
     * Lets what may leave do so.
     *
     * @param most rows and fences to emit at most
     */
    public void emit(int most, RowOutput<OUT> output, EmptiedListener<IN, OUT> listener)
            throws Exception {
        int left = most;
        while (left > 0) {
            if (fenceIsNext()) {
                fences.take().emit(output.collector());
                fencePassed(fencePosition());
                left--;
                continue;
            }
            Batch<IN, OUT> batch = nextReady();
            if (batch == null) {
                return;
            }
            int count = emitReady(batch, left, output);
            emittedRows += count;
            left -= count;
            if (batch.leaving().remaining() == 0) {
                remove(batch);
                heldBack--;
                listener.onEmptied(batch);
            } else {
                someLeft(batch);
            }
        }
    }

    /** Saves all that has not left, in its order: results where they are known, else inputs. */
    public void save(BatchRows<IN> forming, Consumer<SavedElement<IN, OUT>> snapshot) {
        Fences.Saving<IN, OUT> saving = fences.saving(snapshot);
        for (Batch<IN, OUT> batch : batches()) {
            LeavingRows<IN, OUT> rows = batch.leaving();
            long end = rows.firstPosition() + batch.size();
            for (long position = rows.nextPosition(); position < end; position++) {
                saving.upTo(position);
                rows.save(position, snapshot);
            }
        }
        RowTimestamps timestamps = forming.timestamps();
        for (int row = 0; row < forming.size(); row++) {
            saving.upTo(addedRows + row);
            snapshot.accept(
                    new SavedElement.Input<>(
                            forming.value(row), timestamps.isPresent(row), timestamps.get(row)));
        }
        saving.rest();
    }

    /** The batches that still have rows to emit, by position. */
    abstract Iterable<Batch<IN, OUT>> batches();

    /** More rows of the batch have their outcome. */
    abstract void onReady(Batch<IN, OUT> batch);

    abstract void append(Batch<IN, OUT> batch);

    abstract void remove(Batch<IN, OUT> batch);

    /** A batch with a row that may leave, now that no fence is next. */
    @Nullable
    abstract Batch<IN, OUT> nextReady();

    /** Lets rows of the batch leave, at most so many, and returns how many did. */
    abstract int emitReady(Batch<IN, OUT> batch, int most, RowOutput<OUT> output);

    /** Rows of the batch left, and others have not. */
    abstract void someLeft(Batch<IN, OUT> batch);

    /**
     * The first fence left.
     *
     * @param nextFence position of the fence after it
     */
    abstract void fencePassed(long nextFence);

    /** Position of the first fence; larger than every position if there is none. */
    final long fencePosition() {
        return fences.firstPosition();
    }

    private boolean fenceIsNext() {
        return fencePosition() == emittedRows;
    }
}
