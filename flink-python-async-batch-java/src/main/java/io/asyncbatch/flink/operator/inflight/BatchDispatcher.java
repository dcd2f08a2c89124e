package io.asyncbatch.flink.operator.inflight;

import io.asyncbatch.flink.FailureKind;
import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.RowFailure;
import io.asyncbatch.flink.metrics.BatchMetrics;
import io.asyncbatch.flink.metrics.InflightLoad;
import io.asyncbatch.flink.operator.BatchSettings;
import io.asyncbatch.flink.operator.inflight.CallAdmission.Answer;
import io.asyncbatch.flink.operator.trace.BatchTraces;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
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
public final class BatchDispatcher<IN, OUT>
        implements InvokerCalls.Reports<IN, OUT>,
                PendingCalls.Maker<IN, OUT>,
                Hedges.Maker<IN, OUT> {

    /**
     * How long a timeout handler may take after the deadline. It only has to substitute results, so
     * when nothing comes for this long the invoker is stuck, and failing the task is the only thing
     * that keeps the job from hanging.
     */
    public static final long TIMEOUT_ANSWER_GRACE_MILLIS = 30_000;

    private static final Logger LOG = LoggerFactory.getLogger(BatchDispatcher.class);

    private final BatchSettings settings;
    private final ProcessingTimeService timeService;
    private final BatchMetrics metrics;
    private final BatchTraces traces;
    private final BatchListener<IN, OUT> listener;
    private final InvokerCalls<IN, OUT> calls;
    private final Slots<IN, OUT> slots;
    private final Settlement<IN, OUT> settlement;
    private final CallGate<IN, OUT> gate;
    private final CallAdmission admission;
    private final PendingCalls<IN, OUT> pending;
    private final Hedges<IN, OUT> hedges;
    private final PermitWaits permitWaits = new PermitWaits();

    private final Set<Batch<IN, OUT>> invoked = new HashSet<>();
    private long lastBatchId;
    private boolean closed;

    /**
     * @param traces which batches have a span
     * @param admission whether a call may begin; closed with this
     */
    public BatchDispatcher(
            BatchSettings settings,
            BatchInvoker<IN, OUT> invoker,
            ProcessingTimeService timeService,
            MailboxExecutor mailbox,
            BatchMetrics metrics,
            BatchTraces traces,
            BatchListener<IN, OUT> listener,
            CallAdmission admission) {
        this.settings = settings;
        this.calls = new InvokerCalls<>(invoker, mailbox, this, timeService.getClock());
        this.timeService = timeService;
        this.metrics = metrics;
        this.traces = traces;
        this.listener = listener;
        this.slots = new Slots<>(settings);
        this.settlement =
                new Settlement<>(settings.failureHandling(), timeService, metrics, listener);
        this.gate = new CallGate<>(settings.failureHandling().suspectAfter());
        this.admission = admission;
        this.pending = new PendingCalls<>(gate, slots, admission, this::isIdle, this);
        this.hedges =
                new Hedges<>(
                        settings.overload().hedging(),
                        settings.timeoutMillis(),
                        admission,
                        gate::isOpenToAll,
                        timeService,
                        this);
        admission.start(this::makeCalls);
    }

    /** Dispatches the batch as soon as it has a slot, which may be now. Never waits. */
    public void submit(Batch<IN, OUT> batch) throws Exception {
        slots.await(batch);
        makeCalls();
    }

    private void makeCalls() throws Exception {
        if (!closed) {
            pending.makeAll();
        }
    }

    /** Dispatches batches before all that wait for a slot. Never waits. */
    public void submitFirst(List<Batch<IN, OUT>> batches) throws Exception {
        slots.awaitFirst(batches);
        makeCalls();
    }

    /**
     * Dispatches the batch that waits longest although no slot is free. To be called only when all
     * batches that hold one are done and cannot leave before rows that have none: there is no call
     * under way then, so there never are more than there are slots.
     */
    public void dispatchBeyondCapacity() throws Exception {
        slots.letOneThrough();
        makeCalls();
    }

    /** Whether batches that are invoked or await emission hold all slots. */
    public boolean slotsAreTaken() {
        return slots.areTaken();
    }

    /** Whether a batch that was dispatched is not done. */
    public boolean hasUnfinished() {
        return !invoked.isEmpty();
    }

    /** Whether there are batches without a slot. */
    public boolean hasWaiting() {
        return slots.hasWaiting();
    }

    /** Whether a batch that is submitted now is dispatched at once, unless it is too heavy. */
    public boolean hasFreeSlot() {
        return pending.hasRoom();
    }

    /** What is invoked or awaits emission. Any thread may ask. */
    public InflightLoad load() {
        return slots.load();
    }

    /** The last result of the batch left. Frees its slot, for the batch that waits longest. */
    public void release(Batch<IN, OUT> batch) throws Exception {
        if (batch.holdsSlot()) {
            metrics.batchLeft(nanoTime() - batch.openedNanos());
            batch.trace().left();
            slots.free(batch);
            makeCalls();
        }
    }

    @Override
    public void hasRoom() throws Exception {
        listener.onSlotFree();
    }

    /** The input ended, and everything has left. */
    public void endInput() {
        admission.endInput();
    }

    /** Cancels all timers. Whatever is reported from now on is ignored. */
    public void close() {
        closed = true;
        invoked.forEach(Batch::cancelTimers);
        hedges.close();
        invoked.forEach(admission::ignored);
        invoked.clear();
        pending.close();
        admission.close();
    }

    @Override
    public void dispatch(Batch<IN, OUT> batch, Answer answer) throws Exception {
        invoked.add(batch);
        BatchRequest<IN> request = batch.dispatch(++lastBatchId);
        batch.traceBy(
                traces.begin(
                        lastBatchId,
                        batch.size(),
                        batch.bytes(),
                        batch.openedNanos(),
                        batch.closedNanos()));
        metrics.batchDispatched(nanoTime() - batch.closedNanos());
        startDeadline(batch);
        invoke(batch, request, answer);
    }

    private void startDeadline(Batch<IN, OUT> batch) {
        batch.setDeadlineTimer(timerIn(settings.timeoutMillis(), () -> onDeadline(batch)));
    }

    private void invoke(Batch<IN, OUT> batch, BatchRequest<IN> request, Answer answer)
            throws Exception {
        long now = nanoTime();
        long heldUpNanos = permitWaits.end(batch, now);
        if (answer == Answer.REFUSED) {
            gate.ended(batch);
            batch.trace().callNotMade(heldUpNanos);
            goOnIf(
                    settlement.refused(
                            batch, request, admission.refusal(), admission.refusalFailsTask()),
                    batch);
            return;
        }
        batch.callBegan(now);
        batch.trace().callBegan(request.attempt(), request.inputs().size(), heldUpNanos);
        hedges.began(batch, request);
        call(batch, request);
    }

    @Override
    public BatchRequest<IN> second(BatchRequest<IN> first) {
        return new BatchRequest<>(++lastBatchId, first.attempt(), first.inputs());
    }

    @Override
    public void giveUp(BatchRequest<IN> call) {
        calls.cancel(call);
    }

    @Override
    public void call(Batch<IN, OUT> batch, BatchRequest<IN> request) throws Exception {
        try {
            calls.invoke(batch, request);
        } catch (Exception invokerFailure) {
            settlement.broken(batch, request, invokerFailure);
        }
    }

    @Override
    public void onInvocation(
            Batch<IN, OUT> batch,
            BatchRequest<IN> request,
            BatchOutcome<OUT> outcome,
            Throwable failure,
            long reportedNanos)
            throws Exception {
        if (closed) {
            return;
        }
        if (!isWaitedFor(batch, request)) {
            if (!(outcome instanceof BatchOutcome.WorkerLost)) {
                metrics.lateResultDropped();
            }
            return;
        }
        long callNanos = nanoTime() - batch.callBeganNanos();
        BatchOutcome<OUT> told = tell(outcome);
        if (!hedges.decides(batch, request, told, failure, reportedNanos)) {
            makeCalls();
            return;
        }
        gate.ended(batch);
        if (told instanceof BatchOutcome.WorkerLost<OUT> lost) {
            admission.ignored(batch);
            batch.trace().callEnded(lost);
            onWorkerLost(batch, request, lost);
            return;
        }
        metrics.callEnded(callNanos);
        listener.onCallEnded(callNanos);
        admission.ended(batch, told, reportedNanos);
        if (!(told instanceof BatchOutcome.Success)
                && failure == null
                && batch.calls().unsettledCount() == 0) {
            // It gave all its rows early, so this is about none, and none is to be repeated.
            batch.trace().callEnded(BatchOutcome.success(List.of()));
            goOnIf(true, batch);
            return;
        }
        batch.trace().callEnded(failure == null ? told : null);
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
            makeCalls();
        } else {
            goOnIf(settlement.settle(batch, request, FailureKind.EXCEPTION, told, failure), batch);
        }
    }

    private boolean isWaitedFor(Batch<IN, OUT> batch, BatchRequest<IN> request) {
        return batch.acceptsInvocation(request) || hedges.isSecond(batch, request);
    }

    private void onRetry(Batch<IN, OUT> batch, BatchRequest<IN> failed) throws Exception {
        if (closed || !batch.awaitsRetry(failed)) {
            return;
        }
        if (gate.isOpenToAll()) {
            pending.addRetry(batch, failed);
            makeCalls();
        } else {
            batch.retry(failed);
            batch.calls().putBack(false);
            awaitTurn(batch);
        }
    }

    @Override
    public void repeat(Batch<IN, OUT> batch, BatchRequest<IN> failed, Answer answer)
            throws Exception {
        invoke(batch, batch.retry(failed), answer);
    }

    private void onDeadline(Batch<IN, OUT> batch) throws Exception {
        BatchRequest<IN> request = closed ? null : batch.passDeadline(() -> ++lastBatchId);
        if (request == null) {
            return;
        }
        metrics.batchTimedOut();
        hedges.timedOut(batch);
        admission.timedOut(batch);
        batch.trace().callNotMade(permitWaits.end(batch, nanoTime()));
        askTimeoutHandler(batch, request);
        makeCalls();
    }

    private void askTimeoutHandler(Batch<IN, OUT> batch, BatchRequest<IN> request)
            throws Exception {
        batch.setDeadlineTimer(
                timerIn(TIMEOUT_ANSWER_GRACE_MILLIS, () -> onGraceExpired(batch, request)));
        batch.trace().timeoutHandlerAsked(request.inputs().size());
        try {
            calls.askTimeoutHandler(batch, request);
        } catch (Exception invokerFailure) {
            settlement.broken(batch, request, invokerFailure);
        }
    }

    private ScheduledFuture<?> timerIn(long delayMillis, ThrowingRunnable<Exception> action) {
        return timeService.registerTimer(
                timeService.getCurrentProcessingTime() + delayMillis, firedAt -> action.run());
    }

    @Override
    public void onTimeoutAnswer(
            Batch<IN, OUT> batch,
            BatchRequest<IN> request,
            BatchOutcome<OUT> outcome,
            Throwable failure)
            throws Exception {
        if (closed || !batch.acceptsTimeoutAnswer(request)) {
            return;
        }
        gate.ended(batch);
        if (outcome instanceof BatchOutcome.WorkerLost<OUT> lost) {
            batch.trace().callEnded(lost);
            onWorkerLost(batch, request, lost);
        } else {
            BatchOutcome<OUT> told = tell(outcome);
            batch.trace().callEnded(failure == null ? told : null);
            goOnIf(settlement.settle(batch, request, FailureKind.TIMEOUT, told, failure), batch);
        }
    }

    private void onGraceExpired(Batch<IN, OUT> batch, BatchRequest<IN> request) throws Exception {
        if (closed || !batch.acceptsTimeoutAnswer(request)) {
            return;
        }
        String noAnswer =
                "it passed its timeout of "
                        + settings.timeoutMillis()
                        + " ms and its timeout handler did not answer within "
                        + TIMEOUT_ANSWER_GRACE_MILLIS
                        + " ms";
        if (!calls.replaceWorker("of batch " + request.batchId() + ", " + noAnswer)) {
            gate.ended(batch);
            batch.trace().callEnded(null);
            goOnIf(
                    settlement.failed(
                            batch, request, FailureKind.TIMEOUT, new TimeoutException(noAnswer)),
                    batch);
        }
    }

    /** The worker died, or there was none any more, while the batch waited for it. */
    private void onWorkerLost(
            Batch<IN, OUT> batch, BatchRequest<IN> request, BatchOutcome.WorkerLost<OUT> lost)
            throws Exception {
        boolean wasUnderWay = lost.batches() > 0;
        LOG.debug(
                "Batch {} of {} rows is called for again in another worker",
                request.batchId(),
                request.inputs().size(),
                lost.cause());
        // Also if its deadline had passed: that may be the fault of the worker that is gone.
        batch.awaitWorker();
        if (wasUnderWay) {
            metrics.callLost();
            batch.calls().workerDied(lost.batches() == 1);
        }
        awaitWorker();
        if (wasUnderWay && gate.convicts(batch)) {
            goOnIf(settlement.failed(batch, request, FailureKind.WORKER_LOST, lost.cause()), batch);
        } else {
            batch.calls().putBack(wasUnderWay);
            goOnIf(true, batch);
        }
    }

    private void awaitWorker() {
        if (gate.shut()) {
            permitWaits.pauseAll(nanoTime());
            calls.awaitWorker();
        }
    }

    @Override
    public void onWorkerReady() throws Exception {
        if (closed) {
            return;
        }
        gate.reopen();
        makeCalls();
    }

    /** Calls for the next part of the batch when it is its turn, with a deadline from then on. */
    private void awaitTurn(Batch<IN, OUT> batch) throws Exception {
        batch.awaitWorker();
        gate.await(batch);
        makeCalls();
    }

    @Override
    public void callInTurn(Batch<IN, OUT> batch, Answer answer) throws Exception {
        BatchRequest<IN> request = batch.callAgain(++lastBatchId);
        startDeadline(batch);
        invoke(batch, request, answer);
    }

    @Override
    public void callPart(Batch<IN, OUT> batch, Answer answer) throws Exception {
        invoke(batch, batch.callAgain(++lastBatchId), answer);
    }

    private boolean isIdle() {
        return invoked.stream().noneMatch(Batch::hasCallUnderWay);
    }

    /** Has the user's code that was to run in this thread say what came out. */
    private BatchOutcome<OUT> tell(BatchOutcome<OUT> outcome) {
        return outcome instanceof BatchOutcome.Deferred<OUT> deferred ? deferred.tell() : outcome;
    }

    @Override
    public void onEarlyRows(
            Batch<IN, OUT> batch,
            BatchRequest<IN> request,
            int[] rows,
            List<OUT> results,
            List<RowFailure> failures)
            throws Exception {
        if (closed) {
            return;
        }
        if (!isWaitedFor(batch, request)) {
            metrics.lateResultDropped();
            return;
        }
        hedges.givesRows(batch, request);
        batch.trace().rowsGiven(failures.size());
        if (settlement.settleRows(batch, request, rows, results, failures)) {
            if (batch.allSettled()) {
                admission.ended(batch, BatchOutcome.success(List.of()), nanoTime());
                complete(batch);
            } else {
                listener.onPartlyDone(batch);
            }
        }
    }

    @Override
    public void awaitsPermit(Batch<IN, OUT> batch) {
        if (traces.areOn()) {
            permitWaits.heldUp(batch, nanoTime());
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
        } else if (gate.admits(batch) && batch.hasCallUnderWay()) {
            pending.addPart(batch);
            makeCalls();
        } else {
            awaitTurn(batch);
        }
    }

    private void complete(Batch<IN, OUT> batch) throws Exception {
        batch.complete();
        invoked.remove(batch);
        gate.ended(batch);
        metrics.batchDone(batch.size());
        if (batch.isTraced()) {
            batch.trace().done(batch.failedRows());
        }
        listener.onDone(batch);
        makeCalls();
    }

    private long nanoTime() {
        return timeService.getClock().relativeTimeNanos();
    }
}
