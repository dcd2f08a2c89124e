package io.asyncbatch.flink.operator.queue;

import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import io.asyncbatch.flink.operator.inflight.Batch;
import io.asyncbatch.flink.operator.inflight.RowOutput;
import io.asyncbatch.flink.operator.state.FailedRow;
import io.asyncbatch.flink.operator.state.SavedElement;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.ObjIntConsumer;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.RecordAttributes;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;

/**
 * Decides what may leave next where neighbouring rows need not share a batch: each row takes a seat
 * as it comes. Otherwise as {@link BatchQueue}, which knows nothing of single rows and is cheaper.
 * Owned by the mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class SeatQueue<IN, OUT> {

    private final boolean inOrder;
    private final Fences fences = new Fences();

    /** Of rows that have not left, by position. */
    private final LinkedHashSet<Seat<IN, OUT>> seats = new LinkedHashSet<>();

    /** Unordered: rows that may leave before the first fence, in the order they got there. */
    private final ArrayDeque<Seat<IN, OUT>> ready = new ArrayDeque<>();

    private long followingBytes;

    private final Map<Batch<IN, OUT>, SeatedBatch<IN, OUT>> batches = new HashMap<>();

    private long taken;
    private long emitted;

    /** Written by the mailbox thread alone, read by metric reporters too. */
    private volatile int heldBack;

    /** Likewise. */
    private volatile int following;

    public SeatQueue(OutputMode mode) {
        this.inOrder = mode == OutputMode.ORDERED;
    }

    // ------------------------------------------------------------- coming in

    /** Gives a row that came now its seat. */
    public Seat<IN, OUT> seat(@Nullable IN input, StreamRecord<?> record) {
        boolean hasTimestamp = record.hasTimestamp();
        return seat(input, hasTimestamp, hasTimestamp ? record.getTimestamp() : 0);
    }

    private Seat<IN, OUT> seat(@Nullable IN input, boolean hasTimestamp, long timestamp) {
        Seat<IN, OUT> seat = new Seat<>(taken++, input, hasTimestamp, timestamp);
        seats.add(seat);
        return seat;
    }

    /** Seats a restored result. */
    public void addResult(@Nullable OUT result, boolean hasTimestamp, long timestamp) {
        settle(seat(null, hasTimestamp, timestamp), result);
    }

    /** Seats a restored row without a result. */
    public void addFailed(IN input, FailedRow failure, boolean hasTimestamp, long timestamp) {
        fail(seat(input, hasTimestamp, timestamp), failure);
    }

    /** The row joins no batch for now, but waits for the outcome of another one. */
    public void follow(Seat<IN, OUT> seat, long bytes) {
        seat.follow(bytes);
        following++;
        followingBytes += bytes;
    }

    private void endFollowing(Seat<IN, OUT> seat) {
        if (seat.isFollowing()) {
            following--;
            followingBytes -= seat.endFollowing();
        }
    }

    /** Rows that hold no slot because they follow others. Any thread may ask. */
    public int following() {
        return following;
    }

    /** What these rows weigh. */
    public long followingBytes() {
        return followingBytes;
    }

    public void add(Watermark watermark) {
        fences.at(taken).add(watermark);
    }

    public void add(WatermarkStatus status) {
        fences.at(taken).add(status);
    }

    public void add(RecordAttributes attributes) {
        fences.at(taken).add(attributes);
    }

    // -------------------------------------------------------------- outcomes

    /** Has the batch compute these rows. They hold its slot until the last of them has left. */
    public void add(Batch<IN, OUT> batch, List<Seat<IN, OUT>> rows) {
        rows.forEach(this::endFollowing);
        batches.put(batch, new SeatedBatch<>(batch, rows));
    }

    /**
     * Takes what has become known of a batch's rows.
     *
     * @param news takes the rows that had no outcome before, and their indexes in the batch
     */
    public void take(Batch<IN, OUT> batch, ObjIntConsumer<Seat<IN, OUT>> news) {
        List<Seat<IN, OUT>> rows = batches.get(batch).seats();
        for (int row = 0; row < rows.size(); row++) {
            Seat<IN, OUT> seat = rows.get(row);
            if (seat.isSettled() || !batch.isSettled(row)) {
                continue;
            }
            FailedRow failure = batch.failure(row);
            if (failure == null) {
                settle(seat, batch.result(row));
            } else {
                fail(seat, failure);
            }
            news.accept(seat, row);
        }
        if (batch.isDone()) {
            heldBack++;
        }
    }

    public void settle(Seat<IN, OUT> seat, @Nullable OUT result) {
        seat.settle(result);
        onReady(seat);
    }

    public void fail(Seat<IN, OUT> seat, FailedRow failure) {
        seat.fail(failure);
        onReady(seat);
    }

    private void onReady(Seat<IN, OUT> seat) {
        if (!inOrder && seat.position() < fences.firstPosition()) {
            ready.add(seat);
        }
    }

    // --------------------------------------------------------------- leaving

    /** Batches that are done and have not left entirely. Any thread may ask. */
    public int heldBack() {
        return heldBack;
    }

    /** Whether nothing is held back. */
    public boolean isEmpty() {
        return emitted == taken && fences.isEmpty();
    }

    /** Whether rows of batches are held back, rather than only what comes after a forming one's. */
    public boolean hasBatches() {
        return !batches.isEmpty();
    }

    public boolean canEmit() {
        return fenceIsNext() || nextReady() != null;
    }

    /** Position of the first fence; larger than every position if there is none. */
    public long fencePosition() {
        return fences.firstPosition();
    }

    /**
     * Lets what may leave do so.
     *
     * @param most rows and fences to emit at most
     */
    public void emit(int most, RowOutput<OUT> output, BatchQueue.EmptiedListener<IN, OUT> listener)
            throws Exception {
        for (int left = most; left > 0; left--) {
            if (fenceIsNext()) {
                fences.take().emit(output.collector());
                fencePassed();
                continue;
            }
            Seat<IN, OUT> next = nextReady();
            if (next == null) {
                return;
            }
            leave(next, output, listener);
        }
    }

    private void leave(
            Seat<IN, OUT> seat, RowOutput<OUT> output, BatchQueue.EmptiedListener<IN, OUT> listener)
            throws Exception {
        ready.poll();
        emitted++;
        endFollowing(seat);
        seats.remove(seat);
        seat.leave(output);
        SeatedBatch<IN, OUT> batch = seat.batch();
        if (batch != null && batch.oneLeft()) {
            batches.remove(batch.batch());
            heldBack--;
            listener.onEmptied(batch.batch());
        }
    }

    private boolean fenceIsNext() {
        return fences.firstPosition() == emitted;
    }

    /** A row that may leave, now that no fence is next. */
    @Nullable
    private Seat<IN, OUT> nextReady() {
        if (!inOrder) {
            return ready.peek();
        }
        Seat<IN, OUT> head = seats.isEmpty() ? null : seats.iterator().next();
        return head != null && head.isSettled() && head.position() < fences.firstPosition()
                ? head
                : null;
    }

    /** All rows before the passed fence have left, so nothing is ready but what it held back. */
    private void fencePassed() {
        if (inOrder) {
            return;
        }
        long nextFence = fences.firstPosition();
        for (Seat<IN, OUT> seat : seats) {
            if (seat.position() >= nextFence) {
                return;
            }
            if (seat.isSettled()) {
                ready.add(seat);
            }
        }
    }

    // ----------------------------------------------------------------- state

    /** Saves all that has not left, in its order: results where they are known, else inputs. */
    public void save(Consumer<SavedElement<IN, OUT>> snapshot) {
        Fences.Saving<IN, OUT> saving = fences.saving(snapshot);
        for (Seat<IN, OUT> seat : seats) {
            saving.upTo(seat.position());
            snapshot.accept(seat.saved());
        }
        saving.rest();
    }
}
