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
        AWAITING_RETRY,
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
    private long bytes;
    private long openedNanos;
    private long closedNanos;

    /** Of the deadline over all attempts, then of the answer of the timeout handler. */
    @Nullable private ScheduledFuture<?> deadlineTimer;

    @Nullable private ScheduledFuture<?> retryTimer;

    private long firstPosition;
    private int emitted;

    private Batch(int size, RowTimestamps timestamps) {
        this.size = size;
        this.timestamps = timestamps;
    }

    /**
     * A batch that has to be invoked.
     *
     * @param openedNanos when its first row came, by the monotonic clock
     * @param closedNanos when it took its last
     */
    public static <IN, OUT> Batch<IN, OUT> buffered(
            BatchRows<IN> rows, long openedNanos, long closedNanos) {
        Batch<IN, OUT> batch = new Batch<>(rows.size(), rows.timestamps());
        batch.rows = rows;
        batch.state = State.BUFFERED;
        batch.bytes = rows.bytes();
        batch.openedNanos = openedNanos;
        batch.closedNanos = closedNanos;
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
    BatchRequest<IN> dispatch(long batchId) {
        if (state != State.BUFFERED) {
            throw new IllegalStateException("a batch is dispatched once, but it is " + state);
        }
        state = State.IN_FLIGHT;
        holdsSlot = true;
        request = new BatchRequest<>(batchId, 1, rows.values());
        return request;
    }

    /** An invocation reported. False if a deadline was faster and nobody waits for it any more. */
    boolean acceptsInvocation(BatchRequest<IN> invoked) {
        return state == State.IN_FLIGHT && request == invoked;
    }

    /** The invocation is to be repeated: in flight to awaiting retry. The slot stays taken. */
    void awaitRetry(ScheduledFuture<?> timer) {
        if (state != State.IN_FLIGHT) {
            throw new IllegalStateException("only a batch in flight is retried, not one " + state);
        }
        state = State.AWAITING_RETRY;
        retryTimer = timer;
    }

    /**
     * The delay passed: awaiting retry to in flight.
     *
     * @return the next attempt, or null if the deadline was faster
     */
    @Nullable
    BatchRequest<IN> retry(BatchRequest<IN> failed) {
        if (state != State.AWAITING_RETRY || request != failed) {
            return null;
        }
        state = State.IN_FLIGHT;
        retryTimer = null;
        request = new BatchRequest<>(failed.batchId(), failed.attempt() + 1, failed.inputs());
        return request;
    }

    /**
     * The deadline passed: in flight or awaiting retry to timing out.
     *
     * @return the last attempt, or null if its results were faster
     */
    @Nullable
    BatchRequest<IN> passDeadline() {
        if (state != State.IN_FLIGHT && state != State.AWAITING_RETRY) {
            return null;
        }
        state = State.TIMING_OUT;
        cancelRetryTimer();
        return request;
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
        cancelTimers();
        results = batchResults;
        rows = null;
        request = null;
        state = State.DONE;
    }

    /** The timer of the deadline that now counts; replaces the one before. */
    void setDeadlineTimer(ScheduledFuture<?> timer) {
        if (deadlineTimer != null) {
            deadlineTimer.cancel(false);
        }
        deadlineTimer = timer;
    }

    void cancelTimers() {
        if (deadlineTimer != null) {
            deadlineTimer.cancel(false);
            deadlineTimer = null;
        }
        cancelRetryTimer();
    }

    private void cancelRetryTimer() {
        if (retryTimer != null) {
            retryTimer.cancel(false);
            retryTimer = null;
        }
    }

    /** When its first row came, by the monotonic clock. Of a batch that was invoked. */
    long openedNanos() {
        return openedNanos;
    }

    /** When it took its last row, by the monotonic clock. Of a batch that was invoked. */
    long closedNanos() {
        return closedNanos;
    }

    /** What its rows weigh. Of a batch that was invoked. */
    long bytes() {
        return bytes;
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
