package io.asyncbatch.flink.operator.inflight;

import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.operator.buffer.BatchRows;
import io.asyncbatch.flink.operator.buffer.RowTimestamps;
import io.asyncbatch.flink.operator.state.SavedElement;
import java.util.List;
import java.util.concurrent.ScheduledFuture;
import java.util.function.Consumer;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.operators.TimestampedCollector;

/**
 * One batch from the moment it closes until its last result has left: its rows, its state and its
 * results. Owned by the mailbox thread.
 *
 * <p>This is the one place that knows a batch's states (see {@code docs/batch-life.md}). Everything
 * that happens to a batch is a method here that says whether it still means something in the state
 * the batch is in. That is what makes exactly one outcome win, whatever the order in which the
 * invocation, the deadline and the timeout handler report.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class Batch<IN, OUT> {

    private enum State {
        BUFFERED,
        IN_FLIGHT,
        TIMING_OUT,
        DONE
    }

    private final int size;
    private final RowTimestamps timestamps;

    private State state;

    /** Null once the results are there, so that both are never held at once. */
    @Nullable private BatchRows<IN> rows;

    @Nullable private BatchRequest<IN> request;
    @Nullable private List<OUT> results;
    private boolean holdsSlot;
    private long dispatchedNanos;
    @Nullable private ScheduledFuture<?> timer;

    private long firstPosition;
    private int emitted;

    private Batch(int size, RowTimestamps timestamps) {
        this.size = size;
        this.timestamps = timestamps;
    }

    /** A batch that has to be invoked. */
    public static <IN, OUT> Batch<IN, OUT> buffered(BatchRows<IN> rows) {
        Batch<IN, OUT> batch = new Batch<>(rows.size(), rows.timestamps());
        batch.rows = rows;
        batch.state = State.BUFFERED;
        return batch;
    }

    /** Restored results that only have to leave. They never held a slot. */
    public static <IN, OUT> Batch<IN, OUT> done(List<OUT> results, RowTimestamps timestamps) {
        Batch<IN, OUT> batch = new Batch<>(results.size(), timestamps);
        batch.results = results;
        batch.state = State.DONE;
        return batch;
    }

    // ------------------------------------------------------------------ life

    /** The batch got a slot: buffered to in flight. */
    BatchRequest<IN> dispatch(long batchId, long nowNanos) {
        if (state != State.BUFFERED) {
            throw new IllegalStateException("a batch is dispatched once, but it is " + state);
        }
        state = State.IN_FLIGHT;
        holdsSlot = true;
        dispatchedNanos = nowNanos;
        request = new BatchRequest<>(batchId, 1, rows.values());
        return request;
    }

    /** The invocation reported. False if a deadline was faster and nobody waits for it any more. */
    boolean acceptsInvocation() {
        return state == State.IN_FLIGHT;
    }

    /** The deadline passed: in flight to timing out. False if the invocation was faster. */
    boolean passDeadline() {
        if (state != State.IN_FLIGHT) {
            return false;
        }
        state = State.TIMING_OUT;
        return true;
    }

    /** Whether the answer of the timeout handler is what the batch waits for. */
    boolean acceptsTimeoutAnswer() {
        return state == State.TIMING_OUT;
    }

    /** The results are there: in flight or timing out to done. */
    void complete(List<OUT> batchResults) {
        if (state != State.IN_FLIGHT && state != State.TIMING_OUT) {
            throw new IllegalStateException("a batch completes once, but it is " + state);
        }
        cancelTimer();
        results = batchResults;
        rows = null;
        request = null;
        state = State.DONE;
    }

    /** The timer of the state that the batch is in; replaces the one before. */
    void setTimer(ScheduledFuture<?> newTimer) {
        cancelTimer();
        timer = newTimer;
    }

    void cancelTimer() {
        if (timer != null) {
            timer.cancel(false);
            timer = null;
        }
    }

    @Nullable
    BatchRequest<IN> request() {
        return request;
    }

    long dispatchedNanos() {
        return dispatchedNanos;
    }

    boolean holdsSlot() {
        return holdsSlot;
    }

    // --------------------------------------------------------------- results

    public int size() {
        return size;
    }

    public boolean isDone() {
        return state == State.DONE;
    }

    /** Places the batch in the operator's row sequence. */
    public void placeAt(long position) {
        firstPosition = position;
    }

    public long firstPosition() {
        return firstPosition;
    }

    /** Position of the first row that has not left yet. */
    public long nextPosition() {
        return firstPosition + emitted;
    }

    public int remaining() {
        return size - emitted;
    }

    /** Lets the next {@code count} results leave. */
    public void emit(int count, TimestampedCollector<OUT> collector) {
        for (int end = emitted + count; emitted < end; ) {
            int row = emitted++;
            if (timestamps.isPresent(row)) {
                collector.setAbsoluteTimestamp(timestamps.get(row));
            } else {
                collector.eraseTimestamp();
            }
            collector.collect(results.get(row));
        }
    }

    /** Saves the row at a position that has not left yet, as its result if that is known. */
    public void save(long position, Consumer<SavedElement<IN, OUT>> snapshot) {
        int row = (int) (position - firstPosition);
        boolean hasTimestamp = timestamps.isPresent(row);
        long timestamp = timestamps.get(row);
        snapshot.accept(
                isDone()
                        ? new SavedElement.Result<>(results.get(row), hasTimestamp, timestamp)
                        : new SavedElement.Input<>(rows.value(row), hasTimestamp, timestamp));
    }
}
