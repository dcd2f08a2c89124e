package io.asyncbatch.flink.operator.flow;

import io.asyncbatch.flink.operator.buffer.BatchFormer;
import io.asyncbatch.flink.operator.buffer.BatchRows;
import io.asyncbatch.flink.operator.buffer.CloseReason;
import io.asyncbatch.flink.operator.buffer.RowTimestamps;
import io.asyncbatch.flink.operator.inflight.Batch;
import io.asyncbatch.flink.operator.inflight.RowOutput;
import io.asyncbatch.flink.operator.queue.BatchQueue;
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
 * Batches are runs of neighbouring rows, which costs nothing a row. Owned by the mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class RunFlow<IN, OUT> implements RowFlow<IN, OUT> {

    private final FlowContext<IN, OUT> context;
    private final BatchFormer<IN> former;
    private final BatchQueue<IN, OUT> queue;

    public RunFlow(FlowContext<IN, OUT> context) {
        this.context = context;
        this.former = context.former(this::onClosed);
        this.queue = BatchQueue.create(context.settings().outputMode());
    }

    private void onClosed(BatchRows<IN> rows, CloseReason reason, long openedNanos)
            throws Exception {
        Batch<IN, OUT> batch = context.closed(rows, reason, openedNanos);
        queue.add(batch);
        context.dispatcher().submit(batch);
    }

    @Override
    public long add(IN value, StreamRecord<?> record) throws Exception {
        return former.add(value, record);
    }

    @Override
    public void addResults(List<OUT> results, RowTimestamps timestamps) throws Exception {
        former.close(CloseReason.RESTORE);
        queue.add(Batch.done(results, timestamps));
    }

    @Override
    public void addFailed(BatchRows<IN> row, FailedRow failure) throws Exception {
        former.close(CloseReason.RESTORE);
        queue.add(Batch.failed(row, failure));
    }

    @Override
    public void restored() {
        // What is forming takes more rows.
    }

    @Override
    public void onWatermark(long timestamp) throws Exception {
        former.onWatermark(timestamp);
    }

    @Override
    public void add(Watermark watermark) {
        queue.add(watermark, former.rows().size());
    }

    @Override
    public void add(WatermarkStatus status) {
        queue.add(status, former.rows().size());
    }

    @Override
    public void add(RecordAttributes attributes) {
        queue.add(attributes, former.rows().size());
    }

    @Override
    public void close(CloseReason reason) throws Exception {
        former.close(reason);
    }

    @Override
    public boolean isFull() {
        return false;
    }

    @Override
    public void onCallEnded(long nanos) {
        former.onCallEnded(nanos);
    }

    @Override
    public void closeWhatBatchesWaitFor() {
        // None waits for rows that came after its own.
    }

    @Override
    public boolean awaitsSlot() {
        return former.awaitsSlot();
    }

    @Override
    public void onSlotFree() {
        former.onSlotFree();
    }

    @Override
    public void completed(Batch<IN, OUT> batch) {
        queue.completed(batch);
    }

    @Override
    public void partlyReady(Batch<IN, OUT> batch) {
        queue.partlyReady(batch);
    }

    @Override
    public boolean canEmit() {
        return queue.canEmit();
    }

    @Override
    public void emit(int most, RowOutput<OUT> output) throws Exception {
        queue.emit(most, output, context.dispatcher()::release);
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
        return 0;
    }

    @Override
    public void save(Consumer<SavedElement<IN, OUT>> snapshot) {
        queue.save(former.rows(), snapshot);
    }

    @Override
    public void cancelTimers() {
        former.cancelTimer();
    }
}
