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
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives slots to closed batches, first come first served, and follows each invocation to its
 * outcome; see {@link Deadlines} and {@link WorkerLosses} for what ends calls otherwise. Owned by
 * the mailbox thread: what an invoker reports from another thread becomes a mail first.
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
                Hedges.Maker<IN, OUT>,
                Deadlines.Owner<IN, OUT>,
                WorkerLosses.Owner<IN, OUT> {

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
    private final Deadlines<IN, OUT> deadlines;
    private final WorkerLosses<IN, OUT> workerLosses;
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
        this.deadlines =
                new Deadlines<>(
                        settings.timeoutMillis(), calls, settlement, timeService, metrics, this);
        this.workerLosses = new WorkerLosses<>(gate, calls, settlement, metrics, this);
        admission.start(this::makeCalls);
    }

    /** Dispatches the batch as soon as it has a slot, which may be now. Never waits. */
    public void submit(Batch<IN, OUT> batch) throws Exception {
        slots.await(batch);
        makeCalls();
    }

    @Override
    public void makeCalls() throws Exception {
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
    public boolean wantsRoom() {
        return listener.awaitsSlot();
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
        deadlines.close();
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
        deadlines.start(batch);
        invoke(batch, request, answer);
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
            workerLosses.lost(batch, request, lost);
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
            batch.awaitRetry(
                    timeService.registerTimer(
                            timeService.getCurrentProcessingTime() + delayMillis,
                            firedAt -> onRetry(batch, request)));
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
            workerLosses.awaitTurn(batch);
        }
    }

    @Override
    public void repeat(Batch<IN, OUT> batch, BatchRequest<IN> failed, Answer answer)
            throws Exception {
        invoke(batch, batch.retry(failed), answer);
    }

    @Override
    public BatchRequest<IN> passDeadline(Batch<IN, OUT> batch) {
        return batch.passDeadline(() -> ++lastBatchId);
    }

    @Override
    public void giveUpCalls(Batch<IN, OUT> batch) {
        hedges.timedOut(batch);
        admission.timedOut(batch);
        batch.trace().callNotMade(permitWaits.end(batch, nanoTime()));
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
            workerLosses.lost(batch, request, lost);
        } else {
            BatchOutcome<OUT> told = tell(outcome);
            batch.trace().callEnded(failure == null ? told : null);
            goOnIf(settlement.settle(batch, request, FailureKind.TIMEOUT, told, failure), batch);
        }
    }

    @Override
    public void onWorkerReady() throws Exception {
        if (!closed) {
            workerLosses.workerIsReady();
        }
    }

    @Override
    public void callInTurn(Batch<IN, OUT> batch, Answer answer) throws Exception {
        BatchRequest<IN> request = batch.callAgain(++lastBatchId);
        deadlines.start(batch);
        invoke(batch, request, answer);
    }

    @Override
    public void callPart(Batch<IN, OUT> batch, Answer answer) throws Exception {
        invoke(batch, batch.callAgain(++lastBatchId), answer);
    }

    @Override
    public void noCallMayBegin() {
        permitWaits.pauseAll(nanoTime());
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

    @Override
    public void goOnIf(boolean taskGoesOn, Batch<IN, OUT> batch) throws Exception {
        if (!taskGoesOn) {
            return;
        }
        if (!batch.calls().hasParts()) {
            complete(batch);
            return;
        }
        listener.onPartlyDone(batch);
        if (batch.isTimingOut()) {
            deadlines.askTimeoutHandler(batch, batch.calls().allParts(++lastBatchId));
        } else if (gate.admits(batch) && batch.hasCallUnderWay()) {
            pending.addPart(batch);
            makeCalls();
        } else {
            workerLosses.awaitTurn(batch);
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
