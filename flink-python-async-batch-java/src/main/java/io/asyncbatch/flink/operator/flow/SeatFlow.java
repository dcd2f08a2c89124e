package io.asyncbatch.flink.operator.flow;

import io.asyncbatch.flink.RowGrouping;
import io.asyncbatch.flink.operator.BatchSettings;
import io.asyncbatch.flink.operator.buffer.BatchRows;
import io.asyncbatch.flink.operator.buffer.CloseReason;
import io.asyncbatch.flink.operator.buffer.RowTimestamps;
import io.asyncbatch.flink.operator.inflight.Batch;
import io.asyncbatch.flink.operator.inflight.BatchDispatcher;
import io.asyncbatch.flink.operator.inflight.RowOutput;
import io.asyncbatch.flink.operator.queue.Seat;
import io.asyncbatch.flink.operator.queue.SeatQueue;
import io.asyncbatch.flink.operator.state.FailedRow;
import io.asyncbatch.flink.operator.state.NullableCopy;
import io.asyncbatch.flink.operator.state.SavedElement;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.RecordAttributes;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.util.function.ThrowingRunnable;

/**
 * Which batch a row joins, if any, depends on what is in it; each row has a seat of its own, from
 * which it leaves in its turn. Owned by the mailbox thread.
 *
 * <p>A row may wait for one that came after it to be computed: that has a slot, and the first one
 * none. When nothing is under way any more and nothing may leave, all slots are held by rows that
 * wait like this, and a batch more is let through. See {@code docs/rows.md}.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class SeatFlow<IN, OUT> implements RowFlow<IN, OUT> {

    private final FlowContext<IN, OUT> context;
    private final TypeSerializer<OUT> outputSerializer;
    private final SeatQueue<IN, OUT> queue;
    private final RowGrouping<IN> grouping;

    /** From that of the lightest rows. */
    private final List<Bucket<IN, OUT>> buckets;

    /** Of rows that followed another one, in vain. */
    private final Bucket<IN, OUT> released;

    @Nullable private final Coalescer<IN, OUT> coalescer;
    private final long mostFollowing;
    private final StreamRecord<IN> releasedRecord = new StreamRecord<>(null);

    /** Whether rows that come are new: nothing leaves before that, however full this is. */
    private boolean restored;

    /** Batches that close go here as long as this is not null, to be dispatched before others. */
    @Nullable private List<Batch<IN, OUT>> first;

    public SeatFlow(
            FlowContext<IN, OUT> context,
            RowGrouping<IN> grouping,
            TypeSerializer<OUT> outputSerializer) {
        BatchSettings settings = context.settings();
        this.context = context;
        this.outputSerializer = outputSerializer;
        this.queue = new SeatQueue<>(settings.outputMode());
        this.grouping = grouping;
        this.buckets =
                Stream.generate(() -> new Bucket<>(this, context))
                        .limit(grouping.countBuckets())
                        .toList();
        this.released = new Bucket<>(this, context);
        this.coalescer =
                grouping.getCoalesceKey() == null
                        ? null
                        : new Coalescer<>(grouping.getCoalesceKey());
        this.mostFollowing = (long) settings.capacity() * settings.batchSize();
    }

    // ------------------------------------------------------------- coming in

    @Override
    public long add(IN value, StreamRecord<?> record) throws Exception {
        long bytes = released.former().bytesOf(value);
        Object key = coalescer == null ? null : coalescer.keyOf(value);
        Seat<IN, OUT> seat = queue.seat(value, record);
        if (key != null && coalescer.follows(seat, key)) {
            queue.follow(seat, bytes);
        } else {
            long weight = context.weights().of(value);
            buckets.get(grouping.bucketOf(weight)).add(seat, record, bytes, weight);
        }
        closeIfFull();
        return bytes;
    }

    @Override
    public void addResults(List<OUT> results, RowTimestamps timestamps) {
        for (int row = 0; row < results.size(); row++) {
            queue.addResult(results.get(row), timestamps.isPresent(row), timestamps.get(row));
        }
    }

    @Override
    public void addFailed(BatchRows<IN> row, FailedRow failure) {
        queue.addFailed(
                row.value(0), failure, row.timestamps().isPresent(0), row.timestamps().get(0));
    }

    @Override
    public void restored() throws Exception {
        restored = true;
        closeIfFull();
    }

    /** Whatever the rows wait for that are too many is under way then, or will be. */
    private void closeIfFull() throws Exception {
        if (restored && isFull()) {
            close(CloseReason.WAITED_FOR);
        }
    }

    @Override
    public void onWatermark(long timestamp) throws Exception {
        for (Bucket<IN, OUT> bucket : oldestFirst()) {
            bucket.former().onWatermark(timestamp);
        }
    }

    @Override
    public void add(Watermark watermark) {
        queue.add(watermark);
    }

    @Override
    public void add(WatermarkStatus status) {
        queue.add(status);
    }

    @Override
    public void add(RecordAttributes attributes) {
        queue.add(attributes);
    }

    @Override
    public void close(CloseReason reason) throws Exception {
        for (Bucket<IN, OUT> bucket : oldestFirst()) {
            bucket.former().close(reason);
        }
    }

    private List<Bucket<IN, OUT>> oldestFirst() {
        if (buckets.size() == 1) {
            return buckets;
        }
        return buckets.stream().sorted(Comparator.comparingLong(Bucket::firstPosition)).toList();
    }

    @Override
    public boolean isFull() {
        return queue.following() >= mostFollowing
                || queue.followingBytes() >= context.settings().maxBytesInFlight();
    }

    // ---------------------------------------------------------------- batches

    void onClosed(
            BatchRows<IN> rows, List<Seat<IN, OUT>> seats, CloseReason reason, long openedNanos)
            throws Exception {
        Batch<IN, OUT> batch = context.closed(rows, reason, openedNanos);
        queue.add(batch, seats);
        if (first != null) {
            first.add(batch);
        } else {
            context.dispatcher().submit(batch);
            letThroughIfStalled();
        }
    }

    /** See the class. No call is under way then, so there never are more than there are slots. */
    private void letThroughIfStalled() throws Exception {
        BatchDispatcher<IN, OUT> dispatcher = context.dispatcher();
        if (first != null || dispatcher.hasUnfinished() || queue.canEmit()) {
            return;
        }
        // Rows that followed in vain go before those that are forming, as lighter ones may.
        boolean formingComesFirst = grouping.hasLengthBuckets() || !dispatcher.hasWaiting();
        if (formingComesFirst && dispatcher.slotsAreTaken()) {
            dispatchFirst(this::closeWhatHoldsTheFence);
        }
        // One that was let through before may just have got the permit that it still waited for, or
        // have been refused it, so that its rows leave.
        if (!dispatcher.hasUnfinished() && !queue.canEmit()) {
            dispatcher.dispatchBeyondCapacity();
        }
    }

    @Override
    public void closeWhatBatchesWaitFor() throws Exception {
        BatchDispatcher<IN, OUT> dispatcher = context.dispatcher();
        if (hasBatches()
                && !dispatcher.hasUnfinished()
                && !dispatcher.hasWaiting()
                && !queue.canEmit()) {
            dispatchFirst(this::closeWhatHoldsTheFence);
        }
    }

    /** These are the rows that those behind the first watermark wait for, or that come first. */
    private void closeWhatHoldsTheFence() throws Exception {
        for (Bucket<IN, OUT> bucket : oldestFirst()) {
            if (bucket.firstPosition() < queue.fencePosition()) {
                bucket.former().close(CloseReason.WAITED_FOR);
            }
        }
    }

    /** Has the batches that an action closes dispatched before all that wait. */
    private void dispatchFirst(ThrowingRunnable<Exception> closing) throws Exception {
        List<Batch<IN, OUT>> batches = new ArrayList<>();
        first = batches;
        closing.run();
        first = null;
        context.dispatcher().submitFirst(batches);
    }

    @Override
    public void onCallEnded(long nanos) {
        buckets.forEach(bucket -> bucket.former().onCallEnded(nanos));
    }

    @Override
    public boolean awaitsSlot() {
        for (Bucket<IN, OUT> bucket : buckets) {
            if (bucket.former().awaitsSlot()) {
                return true;
            }
        }
        return false;
    }

    @Override
    public void onSlotFree() {
        oldestFirst().forEach(bucket -> bucket.former().onSlotFree());
    }

    @Override
    public void completed(Batch<IN, OUT> batch) throws Exception {
        partlyReady(batch);
    }

    @Override
    public void partlyReady(Batch<IN, OUT> batch) throws Exception {
        List<Seat<IN, OUT>> inVain = new ArrayList<>(0);
        queue.take(
                batch,
                (seat, row) -> {
                    if (coalescer != null) {
                        share(seat, batch.isOfTheRowItself(row), inVain);
                    }
                });
        if (!inVain.isEmpty()) {
            dispatchFirst(() -> compute(inVain));
        }
    }

    private void share(Seat<IN, OUT> leader, boolean isItsOwn, List<Seat<IN, OUT>> inVain) {
        List<Seat<IN, OUT>> followers = coalescer.ended(leader);
        if (!isItsOwn) {
            inVain.addAll(followers);
            return;
        }
        FailedRow failure = leader.failure();
        for (Seat<IN, OUT> follower : followers) {
            if (failure == null) {
                // Each is somebody else's, who may change it.
                queue.settle(follower, NullableCopy.of(leader.result(), outputSerializer));
            } else {
                queue.fail(follower, failure);
            }
        }
        context.metrics().rowsCoalesced(followers.size());
        if (failure != null) {
            context.metrics().rowsFailed(failure.kind(), followers.size());
        }
    }

    /** In batches of their own, before others: they have waited, and others may wait for them. */
    private void compute(List<Seat<IN, OUT>> rows) throws Exception {
        rows.sort(Comparator.comparingLong(Seat::position));
        for (Seat<IN, OUT> row : rows) {
            row.stamp(releasedRecord);
            released.add(
                    row,
                    releasedRecord,
                    released.former().bytesOf(row.input()),
                    context.weights().of(row.input()));
        }
        released.former().close(CloseReason.WAITED_FOR);
    }

    // --------------------------------------------------------------- leaving

    @Override
    public boolean canEmit() {
        return queue.canEmit();
    }

    @Override
    public void emit(int most, RowOutput<OUT> output) throws Exception {
        queue.emit(most, output, context.dispatcher()::release);
        letThroughIfStalled();
    }

    @Override
    public boolean isEmpty() {
        return queue.isEmpty();
    }

    @Override
    public boolean hasBatches() {
        return queue.hasBatches();
    }

    @Override
    public int heldBack() {
        return queue.heldBack();
    }

    @Override
    public int following() {
        return queue.following();
    }

    // ----------------------------------------------------------------- state

    @Override
    public void save(Consumer<SavedElement<IN, OUT>> snapshot) {
        queue.save(snapshot);
    }

    @Override
    public void cancelTimers() {
        buckets.forEach(bucket -> bucket.former().cancelTimer());
    }
}
