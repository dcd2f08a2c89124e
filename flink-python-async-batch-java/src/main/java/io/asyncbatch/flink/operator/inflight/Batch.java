package io.asyncbatch.flink.operator.inflight;

import io.asyncbatch.flink.FailureKind;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.limit.Permit;
import io.asyncbatch.flink.operator.buffer.BatchRows;
import io.asyncbatch.flink.operator.buffer.RowTimestamps;
import io.asyncbatch.flink.operator.state.FailedRow;
import io.asyncbatch.flink.operator.trace.BatchTrace;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ScheduledFuture;
import java.util.function.LongSupplier;
import java.util.stream.IntStream;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * One batch from the moment it closes until its last row has left: its rows, its state and what
 * became of each row. Owned by the mailbox thread.
 *
 * <p>This is the one place that knows a batch's states (see {@code docs/batch-life.md}). Everything
 * that happens to a batch is a method here that says whether it still means something in the state
 * the batch is in. That is what makes exactly one outcome win, whatever the order in which the
 * invocation, the deadline and the timeout handler report.
 *
 * <p>What is called for is in {@link BatchCalls}, what came out of it in {@link RowOutcomes}, and
 * what leaves of it in {@link LeavingRows}.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class Batch<IN, OUT> {

    /** What a call for a row alone may fail with because of that row. */
    private static final Set<FailureKind> OF_THE_ROW_IF_ALONE =
            EnumSet.of(
                    FailureKind.EXCEPTION,
                    FailureKind.INVALID_RESULT,
                    FailureKind.TOO_LARGE,
                    FailureKind.WORKER_LOST);

    private enum State {
        BUFFERED,
        IN_FLIGHT,
        AWAITING_RETRY,
        AWAITING_CALL,
        AWAITING_WORKER,
        TIMING_OUT,
        DONE
    }

    private final int size;
    private final RowOutcomes<OUT> outcomes;
    private final LeavingRows<IN, OUT> leaving;

    private State state;

    /** Null before the batch is dispatched and once it is done. */
    @Nullable private BatchCalls<IN> calls;

    /** Rows whose outcome says nothing of equal ones; null as long as there are none. */
    @Nullable private BitSet circumstantial;

    private boolean holdsSlot;
    private long bytes;
    private long openedNanos;
    private long closedNanos;
    private long callBeganNanos;

    private BatchTrace trace = BatchTrace.NONE;

    /** Of the deadline over all attempts, then of the answer of the timeout handler. */
    @Nullable private ScheduledFuture<?> deadlineTimer;

    @Nullable private ScheduledFuture<?> retryTimer;

    /** The right to the call that is under way, where there is one to have. */
    @Nullable private Permit permit;

    private Batch(int size, @Nullable BatchRows<IN> rows, RowTimestamps timestamps) {
        this.size = size;
        this.outcomes = new RowOutcomes<>(size);
        this.leaving = new LeavingRows<>(size, rows, timestamps, outcomes);
    }

    /**
     * A batch that has to be invoked.
     *
     * @param openedNanos when its first row came, by the monotonic clock
     * @param closedNanos when it took its last
     */
    public static <IN, OUT> Batch<IN, OUT> buffered(
            BatchRows<IN> rows, long openedNanos, long closedNanos) {
        Batch<IN, OUT> batch = new Batch<>(rows.size(), rows, rows.timestamps());
        batch.state = State.BUFFERED;
        batch.bytes = rows.bytes();
        batch.openedNanos = openedNanos;
        batch.closedNanos = closedNanos;
        return batch;
    }

    /** Restored results that only have to leave. They never held a slot. */
    public static <IN, OUT> Batch<IN, OUT> done(List<OUT> results, RowTimestamps timestamps) {
        Batch<IN, OUT> batch = new Batch<>(results.size(), null, timestamps);
        batch.outcomes.settleAll(results);
        batch.state = State.DONE;
        return batch;
    }

    /** A restored row without a result that only has to leave. It never held a slot. */
    public static <IN, OUT> Batch<IN, OUT> failed(BatchRows<IN> row, FailedRow failure) {
        Batch<IN, OUT> batch = new Batch<>(1, row, row.timestamps());
        batch.outcomes.fail(0, failure);
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
        calls = new BatchCalls<>(leaving.inputs(), outcomes);
        return calls.callForAll(batchId);
    }

    /** An invocation reported. False if a deadline was faster and nobody waits for it any more. */
    boolean acceptsInvocation(BatchRequest<IN> invoked) {
        return state == State.IN_FLIGHT && calls.isCurrent(invoked);
    }

    /** The invocation is to be repeated: in flight to awaiting retry. The slot stays taken. */
    void awaitRetry(ScheduledFuture<?> timer) {
        if (state != State.IN_FLIGHT) {
            throw new IllegalStateException("only a batch in flight is retried, not one " + state);
        }
        state = State.AWAITING_RETRY;
        retryTimer = timer;
    }

    /** Whether the call is still to be repeated. */
    boolean awaitsRetry(BatchRequest<IN> failed) {
        return state == State.AWAITING_RETRY && calls.isCurrent(failed);
    }

    /**
     * What is left is called for as soon as that may be: in flight to awaiting call. The deadline
     * goes on.
     */
    void awaitCall() {
        if (state != State.IN_FLIGHT) {
            throw new IllegalStateException("only a batch in flight is parted, not one " + state);
        }
        state = State.AWAITING_CALL;
    }

    /** Whether what is left is still to be called for. */
    boolean awaitsCall() {
        return state == State.AWAITING_CALL;
    }

    /**
     * The delay passed: awaiting retry to in flight.
     *
     * @return the next attempt, for the rows that have no outcome yet; null if the deadline was
     *     faster
     */
    @Nullable
    BatchRequest<IN> retry(BatchRequest<IN> failed) {
        if (!awaitsRetry(failed)) {
            return null;
        }
        state = State.IN_FLIGHT;
        retryTimer = null;
        return calls.callForTheRest(failed.attempt() + 1);
    }

    /**
     * No call is made until it is the batch's turn again, in another worker or alone: in flight,
     * awaiting retry or timing out to awaiting worker. Neither the deadline nor a retry comes
     * meanwhile.
     */
    void awaitWorker() {
        if (state == State.BUFFERED || state == State.DONE) {
            throw new IllegalStateException("only a batch that was dispatched waits, not " + state);
        }
        cancelTimers();
        state = State.AWAITING_WORKER;
    }

    /** It is the batch's turn: awaiting worker or call to in flight. */
    BatchRequest<IN> callAgain(long batchId) {
        if (state != State.AWAITING_WORKER && state != State.AWAITING_CALL) {
            throw new IllegalStateException("only a batch that waits is called, not " + state);
        }
        state = State.IN_FLIGHT;
        return calls.nextPart(batchId);
    }

    /** Whether a call for rows of the batch has yet to end. */
    boolean hasCallUnderWay() {
        return state == State.IN_FLIGHT || state == State.TIMING_OUT;
    }

    /**
     * The deadline passed: in flight, awaiting retry or awaiting call to timing out.
     *
     * @param newBatchId of a call for what is left, if none is under way
     * @return the last attempt, with its rows that have no outcome yet; null if the outcome of all
     *     was faster
     */
    @Nullable
    BatchRequest<IN> passDeadline(LongSupplier newBatchId) {
        if (state == State.AWAITING_CALL) {
            state = State.TIMING_OUT;
            return calls.allParts(newBatchId.getAsLong());
        }
        if (state != State.IN_FLIGHT && state != State.AWAITING_RETRY) {
            return null;
        }
        state = State.TIMING_OUT;
        cancelRetryTimer();
        return calls.callForTheRest(calls.current().attempt());
    }

    /** Whether the answer of the timeout handler to this request is what the batch waits for. */
    boolean acceptsTimeoutAnswer(BatchRequest<IN> asked) {
        return state == State.TIMING_OUT && calls.isCurrent(asked);
    }

    /** Whether the deadline has passed, so that only the timeout handler is asked. */
    boolean isTimingOut() {
        return state == State.TIMING_OUT;
    }

    /** The calls of a batch that was dispatched and is not done. */
    BatchCalls<IN> calls() {
        return calls;
    }

    // -------------------------------------------------------------- outcomes

    /** All rows of the call that had no outcome have results, in their order. */
    void settle(List<OUT> results) {
        if (isTimingOut()) {
            noteCircumstantial(calls.unsettled());
        }
        if (calls.isForAll() && outcomes.noneSettled()) {
            outcomes.settleAll(results);
            return;
        }
        int next = 0;
        for (int row : calls.unsettled()) {
            outcomes.settle(row, results.get(next++));
        }
    }

    /** One row of the call has its result. */
    void settle(int index, @Nullable OUT result) {
        if (isTimingOut()) {
            noteCircumstantial(calls.rowOf(index));
        }
        outcomes.settle(calls.rowOf(index), result);
    }

    /** One row of the call will have no result. */
    void fail(int index, FailedRow failure) {
        if (isTimingOut()) {
            noteCircumstantial(calls.rowOf(index));
        }
        outcomes.fail(calls.rowOf(index), failure);
    }

    /** All rows of the call that have no outcome yet will have no result. */
    void failCall(FailedRow failure) {
        int[] failed = calls.unsettled();
        boolean isItsOwn =
                OF_THE_ROW_IF_ALONE.contains(failure.kind())
                        && calls.current().inputs().size() == 1
                        && !isTimingOut();
        if (!isItsOwn) {
            noteCircumstantial(failed);
        }
        for (int row : failed) {
            outcomes.fail(row, failure);
        }
    }

    private void noteCircumstantial(int... ofRows) {
        if (circumstantial == null) {
            circumstantial = new BitSet(size);
        }
        for (int row : ofRows) {
            circumstantial.set(row);
        }
    }

    /**
     * Whether the outcome of a row is that of every equal row too: what a call said of this row,
     * and not what a deadline or its neighbours in the call brought about.
     */
    public boolean isOfTheRowItself(int row) {
        return circumstantial == null || !circumstantial.get(row);
    }

    boolean allSettled() {
        return outcomes.allSettled();
    }

    /** The outcome of all rows is known: in flight or timing out to done. */
    void complete() {
        if (state != State.IN_FLIGHT
                && state != State.TIMING_OUT
                && state != State.AWAITING_WORKER) {
            throw new IllegalStateException("a batch completes once, but it is " + state);
        }
        cancelTimers();
        if (!outcomes.anyFailed()) {
            leaving.dropInputs();
        }
        calls = null;
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

    /** Has the right to the call that begins now. */
    void holdPermit(Permit right) {
        permit = right;
    }

    /** The right to the call that has ended, once; null if there is none. */
    @Nullable
    Permit releasePermit() {
        Permit right = permit;
        permit = null;
        return right;
    }

    /**
     * Another call for the same rows takes the place of the one that is under way, whose right was
     * released.
     */
    void goOnWith(BatchRequest<IN> call, Permit right) {
        if (state != State.IN_FLIGHT || permit != null) {
            throw new IllegalStateException(
                    "a call is replaced while it is under way, not " + state);
        }
        calls.replaceCurrent(call);
        permit = right;
    }

    /** A call for rows of the batch begins now, by the monotonic clock. */
    void callBegan(long nanos) {
        callBeganNanos = nanos;
    }

    /** When the call that is under way began, by the monotonic clock. */
    long callBeganNanos() {
        return callBeganNanos;
    }

    /** Has a span from now on, if it is one of those that have. */
    void traceBy(BatchTrace batchTrace) {
        trace = batchTrace;
    }

    BatchTrace trace() {
        return trace;
    }

    boolean isTraced() {
        return trace != BatchTrace.NONE;
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

    // ------------------------------------------------ what became of its rows

    public int size() {
        return size;
    }

    /** Whether the outcome of all rows is known. */
    public boolean isDone() {
        return state == State.DONE;
    }

    /** Its rows on their way out. */
    public LeavingRows<IN, OUT> leaving() {
        return leaving;
    }

    /**
     * One for each row, in their order. Of a batch that is done and none of whose rows has failed.
     */
    public List<OUT> results() {
        List<OUT> results = new ArrayList<>(size);
        for (int row = 0; row < size; row++) {
            results.add(outcomes.result(row));
        }
        return results;
    }

    /** Whether the outcome of a row is known. */
    public boolean isSettled(int row) {
        return outcomes.isSettled(row);
    }

    /** Why a row has no result; null if it has one, or nothing is known. */
    @Nullable
    public FailedRow failure(int row) {
        return outcomes.failure(row);
    }

    /** The result of a row that has one. */
    @Nullable
    public OUT result(int row) {
        return outcomes.result(row);
    }

    /** Rows without a result. Of a batch that is done. */
    int failedRows() {
        return (int) IntStream.range(0, size).filter(row -> outcomes.failure(row) != null).count();
    }
}
