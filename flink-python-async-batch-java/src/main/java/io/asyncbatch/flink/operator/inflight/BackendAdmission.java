package io.asyncbatch.flink.operator.inflight;

import io.asyncbatch.flink.CircuitBreakerOptions.WhenOpen;
import io.asyncbatch.flink.CircuitOpenException;
import io.asyncbatch.flink.Concurrency;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.limit.BackendControl;
import io.asyncbatch.flink.limit.BatchPlan;
import io.asyncbatch.flink.limit.BatchPlanner;
import io.asyncbatch.flink.limit.CircuitBreaker.State;
import io.asyncbatch.flink.limit.EndedCall;
import io.asyncbatch.flink.limit.Permit;
import io.asyncbatch.flink.metrics.OverloadMetrics;
import io.asyncbatch.flink.operator.BatchSettings;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.function.IntConsumer;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.util.function.ThrowingRunnable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets a call begin when the backend's {@link BackendControl} gives a permit for it. Owned by the
 * mailbox thread; who shares the backend wakes it from a thread of his own, which becomes a mail.
 */
@Internal
public final class BackendAdmission implements CallAdmission {

    private static final Logger LOG = LoggerFactory.getLogger(BackendAdmission.class);

    private static final long NANOS_PER_MILLI = 1_000_000;

    private final BackendLease lease;
    private final BackendControl control;
    private final BackendControl.Caller caller;
    private final WhenOpen whenOpen;
    @Nullable private final Concurrency concurrency;
    private final ProcessingTimeService timeService;
    private final MailboxExecutor mailbox;
    private final OverloadMetrics metrics;
    private final IntConsumer plannedRows;
    @Nullable private final BatchPlanner planner;

    private ThrowingRunnable<Exception> retry = () -> {};
    private boolean waits;
    private boolean warnedOfHedges;
    @Nullable private ScheduledFuture<?> timer;
    private long timerAt;

    /** Read by metric reporters too. */
    private volatile int planned;

    /**
     * @param lease the backend; given back by {@link #close}
     * @param plannedRows takes how many rows batches had better have, where a latency target and an
     *     adaptive concurrency have that planned
     */
    public BackendAdmission(
            BatchSettings settings,
            BackendLease lease,
            ProcessingTimeService timeService,
            MailboxExecutor mailbox,
            MetricGroup metricGroup,
            IntConsumer plannedRows) {
        this.lease = lease;
        this.control = lease.backend().control();
        this.whenOpen = settings.overload().whenOpen();
        this.concurrency = settings.overload().concurrency();
        this.timeService = timeService;
        this.mailbox = mailbox;
        this.plannedRows = plannedRows;
        this.planned = settings.batchSize();
        this.planner =
                settings.overload().isAdaptive() && settings.hasLatencyTarget()
                        ? new BatchPlanner(
                                settings.batchSize(),
                                settings.latencyTargetMillis() * NANOS_PER_MILLI)
                        : null;
        this.caller = control.join(this::wake, this::onTransition);
        this.metrics =
                new OverloadMetrics(
                        metricGroup,
                        caller::inFlight,
                        control::inFlight,
                        control::limit,
                        () -> control.state().ordinal(),
                        () -> planned);
    }

    @Override
    public void start(ThrowingRunnable<Exception> newRetry) {
        retry = newRetry;
    }

    // --------------------------------------------------------------- calling

    @Override
    public Answer ask(Batch<?, ?> batch, int attempt, int rows) {
        long now = now();
        Permit permit = caller.tryCall(attempt, rows, batch.bytes() * rows / batch.size(), now);
        if (permit != null) {
            batch.holdPermit(permit);
            return Answer.GO;
        }
        metrics.callRefused();
        waits = true;
        if (refusesNow()) {
            return Answer.REFUSED;
        }
        tryAgainIn(caller.nanosUntilTry(attempt, now));
        boolean onlyTheBudget = attempt > 1 && caller.nanosUntilTry(1, now) == 0;
        if (onlyTheBudget) {
            metrics.retryHeld();
        }
        return onlyTheBudget ? Answer.RETRIES_WAIT : Answer.WAIT;
    }

    @Override
    public boolean hasRoom() {
        long now = now();
        if (caller.mayCall(now)) {
            return true;
        }
        waits = true;
        if (refusesNow()) {
            return true;
        }
        tryAgainIn(caller.nanosUntilTry(1, now));
        return false;
    }

    /** While probes are under way too: one that hangs must not hold up everything else. */
    private boolean refusesNow() {
        return whenOpen != WhenOpen.BACK_PRESSURE && control.state() != State.CLOSED;
    }

    @Override
    public Exception refusal() {
        return new CircuitOpenException(
                "no call was made, as the circuit breaker of " + lease.name() + " is open");
    }

    @Override
    public boolean refusalFailsTask() {
        return whenOpen == WhenOpen.FAIL_JOB;
    }

    // ---------------------------------------------------------------- ending

    @Override
    public void ended(Batch<?, ?> batch, @Nullable BatchOutcome<?> outcome, long nanos) {
        Permit permit = batch.releasePermit();
        if (permit != null) {
            end(permit, outcome, nanos);
        }
    }

    private void end(Permit permit, @Nullable BatchOutcome<?> outcome, long nanos) {
        long ended = nanos + lease.backend().zeroNanos();
        switch (OverloadSigns.of(outcome)) {
            case SUCCESS -> learn(permit.succeed(ended));
            case DROPPED -> drop(permit, ended, OverloadSigns.retryAfterNanos(outcome));
            default -> permit.ignore(ended);
        }
    }

    @Override
    public void timedOut(Batch<?, ?> batch) {
        Permit permit = batch.releasePermit();
        if (permit != null) {
            drop(permit, now(), 0);
        }
    }

    @Override
    public void ignored(Batch<?, ?> batch) {
        Permit permit = batch.releasePermit();
        if (permit != null) {
            permit.ignore(now());
        }
    }

    // --------------------------------------------------------------- hedging

    @Override
    @Nullable
    public Permit tryHedge(Batch<?, ?> batch, int rows) {
        Permit permit = caller.tryHedge(rows, batch.bytes() * rows / batch.size(), now());
        if (permit == null) {
            metrics.hedgeRefused();
            warnIfThereIsNeverAHedge();
        } else {
            metrics.hedgeSent();
        }
        return permit;
    }

    /** When the job is built it is not known how many TaskManagers there will be. */
    private void warnIfThereIsNeverAHedge() {
        if (!warnedOfHedges && lease.isPartOfOneCall()) {
            warnedOfHedges = true;
            LOG.warn(
                    "hedging has no effect while the part of concurrency={} of {} that this"
                            + " TaskManager has is 1 call at a time, as a second call needs"
                            + " another one. Twice the parallelism is always enough; or leave"
                            + " hedging out",
                    concurrency,
                    lease.name());
        }
    }

    @Override
    public void hedgeWon(Batch<?, ?> batch) {
        metrics.hedgeWon();
        ignored(batch);
    }

    @Override
    public void hedgeTookOver(Batch<?, ?> batch, @Nullable BatchOutcome<?> outcome, long nanos) {
        metrics.hedgeTookOver();
        ended(batch, outcome, nanos);
    }

    @Override
    public void hedgeDropped(Permit hedge) {
        metrics.hedgeDropped();
        hedge.ignore(now());
    }

    @Override
    public void hedgeFailed(Permit hedge, @Nullable BatchOutcome<?> outcome, long nanos) {
        metrics.hedgeFailed();
        end(hedge, outcome, nanos);
    }

    private void drop(Permit permit, long nanos, long retryAfterNanos) {
        metrics.callDropped();
        learn(permit.drop(nanos, retryAfterNanos));
    }

    /** Fewer calls than the limit only where nobody else makes them: one has to see all of them. */
    private void learn(EndedCall call) {
        if (planner == null) {
            return;
        }
        planner.onCallEnded(call);
        BatchPlan plan = planner.plan(control.limit(), control.knee());
        if (!lease.isShared()) {
            caller.limitTo(plan.concurrency());
        }
        planned = plan.rows();
        plannedRows.accept(plan.rows());
    }

    // --------------------------------------------------------------- waiting

    @Override
    public void nothingWaits() {
        if (waits) {
            waits = false;
            cancelTimer();
            caller.standDown();
        }
    }

    @Override
    public void onlyRetriesWait() {
        caller.standDown();
    }

    @Override
    public void endInput() {
        lease.finish();
    }

    /** Called by the thread of whoever has made room. */
    private void wake() {
        try {
            mailbox.execute(() -> retry.run(), "call to a backend");
        } catch (RejectedExecutionException mailboxClosed) {
            LOG.debug("Ignored that there is room for a call: the task ended");
        }
    }

    private void tryAgainIn(long nanos) {
        if (nanos == BackendControl.UNTIL_WOKEN) {
            return;
        }
        long millis = Math.max(1, (nanos + NANOS_PER_MILLI - 1) / NANOS_PER_MILLI);
        long at = timeService.getCurrentProcessingTime() + millis;
        if (timer != null && timerAt <= at) {
            return;
        }
        cancelTimer();
        timerAt = at;
        timer =
                timeService.registerTimer(
                        at,
                        firedAt -> {
                            if (timerAt == at) {
                                timer = null;
                            }
                            retry.run();
                        });
    }

    private void cancelTimer() {
        if (timer != null) {
            timer.cancel(false);
            timer = null;
        }
    }

    private void onTransition(State from, State to) {
        if (to == State.OPEN) {
            metrics.circuitBreakerOpened();
            LOG.warn("The circuit breaker of {} opened; it was {}", lease.name(), from);
        } else {
            LOG.info("The circuit breaker of {} is {} now; it was {}", lease.name(), to, from);
        }
    }

    @Override
    public void close() {
        cancelTimer();
        caller.close();
        lease.close();
    }

    private long now() {
        return timeService.getClock().relativeTimeNanos() + lease.backend().zeroNanos();
    }
}
