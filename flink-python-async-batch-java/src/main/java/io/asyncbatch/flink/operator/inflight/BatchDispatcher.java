package io.asyncbatch.flink.operator.inflight;

import io.asyncbatch.flink.FailureKind;
import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.RowFailure;
import io.asyncbatch.flink.metrics.BatchMetrics;
import io.asyncbatch.flink.metrics.InflightLoad;
import io.asyncbatch.flink.operator.BatchSettings;
import io.asyncbatch.flink.operator.FailureHandling.Verdict;
import io.asyncbatch.flink.operator.state.FailedRow;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeoutException;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.util.ExceptionUtils;
import org.apache.flink.util.function.ThrowingRunnable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives slots to closed batches, first come first served, and follows each invocation to its
 * outcome. Owned by the mailbox thread: what an invoker reports from another thread becomes a mail
 * first.
 *
 * <p>A batch without a slot waits here rather than in its caller, so that a flush timer that fires
 * while all slots are taken has nothing to wait for. The operator holds its input back while {@link
 * #hasWaiting}; see {@link InputHold}.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class BatchDispatcher<IN, OUT> {

    /**
     * How long a timeout handler may take after the deadline. It only has to substitute results, so
     * when nothing comes for this long the invoker is stuck, and failing the task is the only thing
     * that keeps the job from hanging.
     */
    public static final long TIMEOUT_ANSWER_GRACE_MILLIS = 30_000;

    private static final Logger LOG = LoggerFactory.getLogger(BatchDispatcher.class);

    private final BatchSettings settings;
    private final BatchInvoker<IN, OUT> invoker;
    private final ProcessingTimeService timeService;
    private final MailboxExecutor mailbox;
    private final BatchMetrics metrics;
    private final BatchListener<IN, OUT> listener;

    private final Queue<Batch<IN, OUT>> waiting = new ArrayDeque<>();
    private final Set<Batch<IN, OUT>> invoked = new HashSet<>();

    /** Read by metric reporters too. */
    private volatile InflightLoad load = InflightLoad.NONE;

    private long lastBatchId;
    private boolean closed;

    public BatchDispatcher(
            BatchSettings settings,
            BatchInvoker<IN, OUT> invoker,
            ProcessingTimeService timeService,
            MailboxExecutor mailbox,
            BatchMetrics metrics,
            BatchListener<IN, OUT> listener) {
        this.settings = settings;
        this.invoker = invoker;
        this.timeService = timeService;
        this.mailbox = mailbox;
        this.metrics = metrics;
        this.listener = listener;
    }

    /** Dispatches the batch as soon as it has a slot, which may be now. Never waits. */
    public void submit(Batch<IN, OUT> batch) throws Exception {
        waiting.add(batch);
        dispatchWaiting();
    }

    /** Whether there are batches without a slot. */
    public boolean hasWaiting() {
        return !waiting.isEmpty();
    }

    /** Whether a batch that is submitted now is dispatched at once, unless it is too heavy. */
    public boolean hasFreeSlot() {
        return waiting.isEmpty()
                && load.batches() < settings.capacity()
                && load.bytes() < settings.maxBytesInFlight();
    }

    /** What is invoked or awaits emission. Any thread may ask. */
    public InflightLoad load() {
        return load;
    }

    /** The last result of the batch left. Frees its slot, for the batch that waits longest. */
    public void release(Batch<IN, OUT> batch) throws Exception {
        if (batch.holdsSlot()) {
            metrics.batchLeft(nanoTime() - batch.openedNanos());
            load = load.minus(batch.size(), batch.bytes());
            dispatchWaiting();
            if (hasFreeSlot()) {
                listener.onSlotFree();
            }
        }
    }

    /** Cancels all timers. Whatever is reported from now on is ignored. */
    public void close() {
        closed = true;
        invoked.forEach(Batch::cancelTimers);
        invoked.clear();
        waiting.clear();
    }

    private void dispatchWaiting() throws Exception {
        while (!waiting.isEmpty() && hasSlotFor(waiting.peek())) {
            dispatch(waiting.poll());
        }
    }

    /** One batch is let through whatever it weighs, since no wait makes it lighter. */
    private boolean hasSlotFor(Batch<IN, OUT> batch) {
        return load.batches() < settings.capacity()
                && (load.batches() == 0
                        || batch.bytes() <= settings.maxBytesInFlight() - load.bytes());
    }

    private void dispatch(Batch<IN, OUT> batch) throws Exception {
        load = load.plus(batch.size(), batch.bytes());
        invoked.add(batch);
        BatchRequest<IN> request = batch.dispatch(++lastBatchId);
        metrics.batchDispatched(nanoTime() - batch.closedNanos());
        batch.setDeadlineTimer(timerIn(settings.timeoutMillis(), () -> onDeadline(batch)));
        invoke(batch, request);
    }

    private void invoke(Batch<IN, OUT> batch, BatchRequest<IN> request) throws Exception {
        long startedNanos = nanoTime();
        CompletionStage<BatchOutcome<OUT>> stage;
        try {
            stage =
                    invoker.invoke(
                            request,
                            (rows, results, failures) ->
                                    inMailbox(
                                            () ->
                                                    onEarlyRows(
                                                            batch, request, rows, results,
                                                            failures),
                                            "early rows of batch %s",
                                            request.batchId()));
        } catch (Exception invokerFailure) {
            fail(request, FailureKind.INVOKER, invokerFailure);
            return;
        }
        stage.whenComplete(
                (outcome, failure) ->
                        inMailbox(
                                () -> onInvocation(batch, request, startedNanos, outcome, failure),
                                "result of batch %s",
                                request.batchId()));
    }

    private void onInvocation(
            Batch<IN, OUT> batch,
            BatchRequest<IN> request,
            long startedNanos,
            BatchOutcome<OUT> outcome,
            Throwable failure)
            throws Exception {
        if (closed) {
            return;
        }
        if (!batch.acceptsInvocation(request)) {
            metrics.lateResultDropped();
            return;
        }
        long callNanos = nanoTime() - startedNanos;
        metrics.callEnded(callNanos);
        listener.onCallEnded(callNanos);
        BatchOutcome<OUT> told = tell(outcome);
        if (told instanceof BatchOutcome.Retry<OUT> retry) {
            LOG.debug(
                    "Attempt {} of batch {} is repeated in {} ms",
                    request.attempt(),
                    request.batchId(),
                    retry.delayMillis(),
                    retry.cause());
            metrics.callRepeated(retry.cause() != null);
            // No longer than the deadline, which comes first then; the sum might overflow.
            long delayMillis = Math.min(retry.delayMillis(), settings.timeoutMillis());
            batch.awaitRetry(timerIn(delayMillis, () -> onRetry(batch, request)));
        } else {
            settle(batch, request, FailureKind.EXCEPTION, told, failure);
        }
    }

    private void onRetry(Batch<IN, OUT> batch, BatchRequest<IN> failed) throws Exception {
        BatchRequest<IN> next = closed ? null : batch.retry(failed);
        if (next != null) {
            invoke(batch, next);
        }
    }

    private void onDeadline(Batch<IN, OUT> batch) throws Exception {
        BatchRequest<IN> request = closed ? null : batch.passDeadline();
        if (request == null) {
            return;
        }
        metrics.batchTimedOut();
        askTimeoutHandler(batch, request);
    }

    private void askTimeoutHandler(Batch<IN, OUT> batch, BatchRequest<IN> request)
            throws Exception {
        batch.setDeadlineTimer(
                timerIn(TIMEOUT_ANSWER_GRACE_MILLIS, () -> onGraceExpired(batch, request)));
        CompletionStage<BatchOutcome<OUT>> stage;
        try {
            stage = invoker.timeout(request);
        } catch (Exception invokerFailure) {
            fail(request, FailureKind.INVOKER, invokerFailure);
            return;
        }
        stage.whenComplete(
                (outcome, failure) ->
                        inMailbox(
                                () -> onTimeoutAnswer(batch, request, outcome, failure),
                                "timeout answer of batch %s",
                                request.batchId()));
    }

    private ScheduledFuture<?> timerIn(long delayMillis, ThrowingRunnable<Exception> action) {
        return timeService.registerTimer(
                timeService.getCurrentProcessingTime() + delayMillis, firedAt -> action.run());
    }

    private void onTimeoutAnswer(
            Batch<IN, OUT> batch,
            BatchRequest<IN> request,
            BatchOutcome<OUT> outcome,
            Throwable failure)
            throws Exception {
        if (!closed && batch.acceptsTimeoutAnswer(request)) {
            settle(batch, request, FailureKind.TIMEOUT, tell(outcome), failure);
        }
    }

    private void onGraceExpired(Batch<IN, OUT> batch, BatchRequest<IN> request) throws Exception {
        if (!closed && batch.acceptsTimeoutAnswer(request)) {
            failed(
                    batch,
                    request,
                    FailureKind.TIMEOUT,
                    new TimeoutException(
                            "it passed its timeout of "
                                    + settings.timeoutMillis()
                                    + " ms and its timeout handler did not answer within "
                                    + TIMEOUT_ANSWER_GRACE_MILLIS
                                    + " ms"));
        }
    }

    /** Has the user's code that was to run in this thread say what came out. */
    private BatchOutcome<OUT> tell(BatchOutcome<OUT> outcome) {
        return outcome instanceof BatchOutcome.Deferred<OUT> deferred ? deferred.tell() : outcome;
    }

    /**
     * Ends the batch with what the call that it waited for reported.
     *
     * @param exceptionKind what an exception of that call counts as
     */
    private void settle(
            Batch<IN, OUT> batch,
            BatchRequest<IN> request,
            FailureKind exceptionKind,
            BatchOutcome<OUT> outcome,
            Throwable failure)
            throws Exception {
        if (failure != null) {
            fail(request, FailureKind.INVOKER, ExceptionUtils.stripCompletionException(failure));
        } else if (outcome instanceof BatchOutcome.Success<OUT> success) {
            succeeded(batch, request, success);
        } else if (outcome instanceof BatchOutcome.TooLarge<OUT> tooLarge) {
            failed(batch, request, FailureKind.TOO_LARGE, tooLarge.cause());
        } else if (outcome instanceof BatchOutcome.Failure<OUT> reported) {
            failed(
                    batch,
                    request,
                    reported.invalidResult() ? FailureKind.INVALID_RESULT : exceptionKind,
                    reported.cause());
        } else {
            fail(
                    request,
                    FailureKind.INVOKER,
                    new IllegalStateException("the invoker reported no outcome"));
        }
    }

    /** The call returned: its results and failures are those of the rows it did not give early. */
    private void succeeded(
            Batch<IN, OUT> batch, BatchRequest<IN> request, BatchOutcome.Success<OUT> success)
            throws Exception {
        List<OUT> results = success.results();
        int expected = batch.unsettledRowsOfCall();
        if (results == null || results.size() != expected) {
            failed(batch, request, FailureKind.INVALID_RESULT, misfit(results, expected));
            return;
        }
        if (success.failures().isEmpty()) {
            batch.settle(results);
        } else if (!settleRows(
                batch, request, batch.unsettledIndexesOfCall(), results, success.failures())) {
            return;
        }
        if (request.attempt() == 1 && request.inputs().size() == batch.size()) {
            listener.onSuccess(batch.size(), batch.bytes());
        }
        goOn(batch);
    }

    private static IllegalStateException misfit(@Nullable List<?> results, int expected) {
        return new IllegalStateException(
                "the result of a batch should be of list type with one element for each of its "
                        + expected
                        + " inputs, "
                        + (results == null
                                ? "and cannot be none"
                                : "but it has " + results.size()));
    }

    private void onEarlyRows(
            Batch<IN, OUT> batch,
            BatchRequest<IN> request,
            int[] rows,
            List<OUT> results,
            List<RowFailure> failures)
            throws Exception {
        if (closed) {
            return;
        }
        if (!batch.acceptsInvocation(request)) {
            metrics.lateResultDropped();
            return;
        }
        if (settleRows(batch, request, rows, results, failures)) {
            if (batch.allSettled()) {
                complete(batch);
            } else {
                listener.onPartlyDone(batch);
            }
        }
    }

    /**
     * Takes the outcome of rows of a call.
     *
     * @param rows indexes in the call's inputs
     * @param results as many, in the same order
     * @return false if that ended the batch
     */
    private boolean settleRows(
            Batch<IN, OUT> batch,
            BatchRequest<IN> request,
            int[] rows,
            List<OUT> results,
            List<RowFailure> failures)
            throws Exception {
        Map<Integer, Throwable> failureOf = new HashMap<>();
        failures.forEach(failure -> failureOf.put(failure.row(), failure.cause()));
        if (!failures.isEmpty()
                && settings.failureHandling().judge(FailureKind.ROW_FAILURE, 1)
                        == Verdict.FAIL_TASK) {
            RowFailure first = failures.get(0);
            fail(request, FailureKind.ROW_FAILURE, first.cause());
            return false;
        }
        for (int i = 0; i < rows.length; i++) {
            int row = rows[i];
            if (!batch.isUnsettledInCall(row)) {
                fail(
                        request,
                        FailureKind.INVALID_RESULT,
                        new IllegalStateException(
                                "there is a result for index "
                                        + row
                                        + ", which is that of no input that still waits for one;"
                                        + " indexes go from 0 to "
                                        + (request.inputs().size() - 1)));
                return false;
            }
            Throwable cause = failureOf.get(row);
            if (cause == null) {
                batch.settle(row, results.get(i));
            } else {
                batch.fail(row, failedRow(FailureKind.ROW_FAILURE, cause, request));
            }
        }
        metrics.rowsFailed(FailureKind.ROW_FAILURE, failures.size());
        return true;
    }

    private FailedRow failedRow(FailureKind kind, Throwable cause, BatchRequest<IN> request) {
        return FailedRow.of(kind, cause, request.attempt(), timeService.getCurrentProcessingTime());
    }

    /** A call failed for all rows that it gave no outcome for. */
    private void failed(
            Batch<IN, OUT> batch, BatchRequest<IN> request, FailureKind kind, Throwable cause)
            throws Exception {
        int rows = batch.unsettledRowsOfCall();
        if (kind == FailureKind.TOO_LARGE) {
            listener.onTooLarge(rows, batch.bytes() * rows / batch.size());
        }
        // What the timeout handler answered for all rows it would answer for half of them too.
        switch (settings.failureHandling().judge(kind, batch.isTimingOut() ? 1 : rows)) {
            case FAIL_TASK -> fail(request, kind, cause);
            case SPLIT -> {
                LOG.debug(
                        "Batch {} of {} rows is called for in halves",
                        request.batchId(),
                        rows,
                        cause);
                metrics.batchSplit();
                batch.split();
                goOn(batch);
            }
            case GIVE_UP_ROWS -> {
                LOG.debug("Gave up {} rows of batch {}", rows, request.batchId(), cause);
                metrics.callFailed();
                metrics.rowsFailed(kind, rows);
                batch.failCall(failedRow(kind, cause, request));
                goOn(batch);
            }
        }
    }

    /** The call that was under way has ended, and the task has not. */
    private void goOn(Batch<IN, OUT> batch) throws Exception {
        if (!batch.hasParts()) {
            complete(batch);
            return;
        }
        listener.onPartlyDone(batch);
        if (batch.isTimingOut()) {
            askTimeoutHandler(batch, batch.allParts(++lastBatchId));
        } else {
            invoke(batch, batch.nextPart(++lastBatchId));
        }
    }

    private void complete(Batch<IN, OUT> batch) throws Exception {
        batch.complete();
        invoked.remove(batch);
        metrics.batchDone(batch.size());
        listener.onDone(batch);
    }

    private void fail(BatchRequest<IN> request, FailureKind kind, Throwable cause)
            throws Exception {
        metrics.batchFailed(kind);
        listener.onFailure(
                new BatchFailedException(request.batchId(), request.inputs().size(), cause));
    }

    /** Called by any thread. */
    private void inMailbox(ThrowingRunnable<Exception> mail, String what, long batchId) {
        try {
            mailbox.execute(mail, what, batchId);
        } catch (RejectedExecutionException mailboxClosed) {
            // The task ended. Its rows are in the last checkpoint and will be invoked again
            // (FLINK-24846: throwing here would end up in the invoker's thread).
            LOG.debug("Ignored a report about batch {}: the task ended", batchId);
        }
    }

    private long nanoTime() {
        return timeService.getClock().relativeTimeNanos();
    }
}
