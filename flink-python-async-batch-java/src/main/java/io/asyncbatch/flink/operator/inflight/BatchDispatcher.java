package io.asyncbatch.flink.operator.inflight;

import io.asyncbatch.flink.FailureKind;
import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.RowFailure;
import io.asyncbatch.flink.metrics.BatchMetrics;
import io.asyncbatch.flink.metrics.InflightLoad;
import io.asyncbatch.flink.operator.BatchSettings;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeoutException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
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
    private final Slots<IN, OUT> slots;
    private final Settlement<IN, OUT> settlement;

    private final Set<Batch<IN, OUT>> invoked = new HashSet<>();
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
        this.slots = new Slots<>(settings);
        this.settlement =
                new Settlement<>(settings.failureHandling(), timeService, metrics, listener);
    }

    /** Dispatches the batch as soon as it has a slot, which may be now. Never waits. */
    public void submit(Batch<IN, OUT> batch) throws Exception {
        slots.await(batch);
        dispatchWaiting();
    }

    /** Whether there are batches without a slot. */
    public boolean hasWaiting() {
        return slots.hasWaiting();
    }

    /** Whether a batch that is submitted now is dispatched at once, unless it is too heavy. */
    public boolean hasFreeSlot() {
        return slots.hasFree();
    }

    /** What is invoked or awaits emission. Any thread may ask. */
    public InflightLoad load() {
        return slots.load();
    }

    /** The last result of the batch left. Frees its slot, for the batch that waits longest. */
    public void release(Batch<IN, OUT> batch) throws Exception {
        if (batch.holdsSlot()) {
            metrics.batchLeft(nanoTime() - batch.openedNanos());
            slots.free(batch);
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
        slots.close();
    }

    private void dispatchWaiting() throws Exception {
        for (Batch<IN, OUT> next = slots.take(); next != null; next = slots.take()) {
            dispatch(next);
        }
    }

    private void dispatch(Batch<IN, OUT> batch) throws Exception {
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
            settlement.broken(request, invokerFailure);
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
            goOnIf(settlement.settle(batch, request, FailureKind.EXCEPTION, told, failure), batch);
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
            settlement.broken(request, invokerFailure);
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
            goOnIf(
                    settlement.settle(batch, request, FailureKind.TIMEOUT, tell(outcome), failure),
                    batch);
        }
    }

    private void onGraceExpired(Batch<IN, OUT> batch, BatchRequest<IN> request) throws Exception {
        if (!closed && batch.acceptsTimeoutAnswer(request)) {
            TimeoutException noAnswer =
                    new TimeoutException(
                            "it passed its timeout of "
                                    + settings.timeoutMillis()
                                    + " ms and its timeout handler did not answer within "
                                    + TIMEOUT_ANSWER_GRACE_MILLIS
                                    + " ms");
            goOnIf(settlement.failed(batch, request, FailureKind.TIMEOUT, noAnswer), batch);
        }
    }

    /** Has the user's code that was to run in this thread say what came out. */
    private BatchOutcome<OUT> tell(BatchOutcome<OUT> outcome) {
        return outcome instanceof BatchOutcome.Deferred<OUT> deferred ? deferred.tell() : outcome;
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
        if (settlement.settleRows(batch, request, rows, results, failures)) {
            if (batch.allSettled()) {
                complete(batch);
            } else {
                listener.onPartlyDone(batch);
            }
        }
    }

    /**
     * The call that was under way has ended.
     *
     * @param taskGoesOn whether the task has not ended with it
     */
    private void goOnIf(boolean taskGoesOn, Batch<IN, OUT> batch) throws Exception {
        if (!taskGoesOn) {
            return;
        }
        if (!batch.calls().hasParts()) {
            complete(batch);
            return;
        }
        listener.onPartlyDone(batch);
        if (batch.isTimingOut()) {
            askTimeoutHandler(batch, batch.calls().allParts(++lastBatchId));
        } else {
            invoke(batch, batch.calls().nextPart(++lastBatchId));
        }
    }

    private void complete(Batch<IN, OUT> batch) throws Exception {
        batch.complete();
        invoked.remove(batch);
        metrics.batchDone(batch.size());
        listener.onDone(batch);
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
