package io.asyncbatch.flink.operator.inflight;

import io.asyncbatch.flink.HedgingOptions;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.limit.HedgeDelay;
import io.asyncbatch.flink.limit.Permit;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ScheduledFuture;
import java.util.function.BooleanSupplier;
import javax.annotation.Nullable;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;

/**
 * Second calls for rows whose first call takes longer than most do. Owned by the mailbox thread.
 *
 * <p>Only a call that repeats none is hedged, once, and not once some of its rows have an outcome.
 * The first of the two that succeeds is the batch's call, and the other is given up: cancelled
 * where that can be done, its permit ended as ignored, its answer not accepted any more. A call of
 * the two that fails while the other goes on has ended, and no more than that: the other is the
 * batch's call then, and how it ends counts. The batch knows one call at any time; see {@link
 * Batch#goOnWith}.
 *
 * <p>How long calls take is learned from first calls alone.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
final class Hedges<IN, OUT> {

    /** Makes second calls and gives calls up. */
    interface Maker<IN, OUT> {

        /** The same rows once more, under a new id. */
        BatchRequest<IN> second(BatchRequest<IN> first);

        void call(Batch<IN, OUT> batch, BatchRequest<IN> second) throws Exception;

        /** Nobody waits for that call any more. */
        void giveUp(BatchRequest<IN> call);
    }

    private static final long NANOS_PER_MILLI = 1_000_000;

    /** A first call that is under way, and what has become of its second. */
    private static final class Race<IN> {
        private final BatchRequest<IN> first;
        private final long beganNanos;

        /** Until it is time for the second. */
        @Nullable private ScheduledFuture<?> timer;

        /** While both are under way. */
        @Nullable private BatchRequest<IN> second;

        @Nullable private Permit permit;

        private Race(BatchRequest<IN> first, long beganNanos) {
            this.first = first;
            this.beganNanos = beganNanos;
        }

        private Permit endSecond() {
            Permit ended = permit;
            second = null;
            permit = null;
            return ended;
        }
    }

    @Nullable private final HedgeDelay delay;
    private final long timeoutMillis;
    private final CallAdmission admission;
    private final BooleanSupplier mayCall;
    private final ProcessingTimeService timeService;
    private final Maker<IN, OUT> maker;

    private final Map<Batch<IN, OUT>, Race<IN>> races = new HashMap<>();

    /**
     * @param options null for no second calls at all
     * @param timeoutMillis of a batch; a second call that would come no earlier is none
     * @param mayCall whether no worker is suspected or being replaced
     */
    Hedges(
            @Nullable HedgingOptions options,
            long timeoutMillis,
            CallAdmission admission,
            BooleanSupplier mayCall,
            ProcessingTimeService timeService,
            Maker<IN, OUT> maker) {
        this.delay =
                options == null
                        ? null
                        : new HedgeDelay(
                                options.percentile(),
                                options.minDelay().toMillis() * NANOS_PER_MILLI,
                                options.leastCalls());
        this.timeoutMillis = timeoutMillis;
        this.admission = admission;
        this.mayCall = mayCall;
        this.timeService = timeService;
        this.maker = maker;
    }

    /** A call of the batch begins now. */
    void began(Batch<IN, OUT> batch, BatchRequest<IN> call) {
        if (delay == null || call.attempt() > 1) {
            return;
        }
        Race<IN> race = new Race<>(call, nanoTime());
        races.put(batch, race);
        long nanos = delay.nanos(call.inputs().size());
        if (nanos < timeoutMillis * NANOS_PER_MILLI) {
            // Rounded up, or it would not be later than the calls that the delay was learned from.
            long millis = (nanos + NANOS_PER_MILLI - 1) / NANOS_PER_MILLI;
            race.timer =
                    timeService.registerTimer(
                            timeService.getCurrentProcessingTime() + millis,
                            firedAt -> callAgain(batch, race));
        }
    }

    private void callAgain(Batch<IN, OUT> batch, Race<IN> race) throws Exception {
        // The timer's mail may have been on its way when the timer was cancelled.
        if (race.timer == null || races.get(batch) != race) {
            return;
        }
        race.timer = null;
        if (!mayCall.getAsBoolean()) {
            return;
        }
        race.permit = admission.tryHedge(batch, race.first.inputs().size());
        if (race.permit != null) {
            race.second = maker.second(race.first);
            maker.call(batch, race.second);
        }
    }

    /** Whether that is the second call for rows whose first one is under way too. */
    boolean isSecond(Batch<IN, OUT> batch, BatchRequest<IN> call) {
        Race<IN> race = races.isEmpty() ? null : races.get(batch);
        return race != null && race.second == call;
    }

    /**
     * A call ended that is the batch's own or its second.
     *
     * @param outcome not {@link BatchOutcome.Deferred}
     * @param failure not null if what runs the function is broken
     * @param nanos when it ended, by the monotonic clock
     * @return whether it is the batch's own now and the only one, so that its outcome is that of
     *     the batch's call; if not, the batch goes on as if it had not been
     */
    boolean decides(
            Batch<IN, OUT> batch,
            BatchRequest<IN> call,
            @Nullable BatchOutcome<OUT> outcome,
            @Nullable Throwable failure,
            long nanos) {
        Race<IN> race = races.isEmpty() ? null : races.get(batch);
        if (race == null) {
            return true;
        }
        return race.second == call
                ? secondDecides(batch, race, outcome, failure, nanos)
                : firstDecides(batch, race, outcome, failure, nanos);
    }

    private boolean firstDecides(
            Batch<IN, OUT> batch,
            Race<IN> race,
            @Nullable BatchOutcome<OUT> outcome,
            @Nullable Throwable failure,
            long nanos) {
        boolean failed =
                outcome instanceof BatchOutcome.Failure || outcome instanceof BatchOutcome.Retry;
        if (race.second != null && failure == null && failed) {
            races.remove(batch);
            admission.hedgeTookOver(batch, outcome, nanos);
            batch.goOnWith(race.second, race.endSecond());
            return false;
        }
        if (outcome instanceof BatchOutcome.Success && failure == null) {
            delay.observe(race.first.inputs().size(), nanos - race.beganNanos);
        }
        leave(batch, race);
        return true;
    }

    private boolean secondDecides(
            Batch<IN, OUT> batch,
            Race<IN> race,
            @Nullable BatchOutcome<OUT> outcome,
            @Nullable Throwable failure,
            long nanos) {
        if (failure != null || outcome == null) {
            leave(batch, race);
            return true;
        }
        if (outcome instanceof BatchOutcome.Success) {
            secondWins(batch, race);
            return true;
        }
        admission.hedgeFailed(race.endSecond(), outcome, nanos);
        return false;
    }

    private void secondWins(Batch<IN, OUT> batch, Race<IN> race) {
        races.remove(batch);
        observeGivenUp(race);
        admission.hedgeWon(batch);
        batch.goOnWith(race.second, race.endSecond());
        maker.giveUp(race.first);
    }

    /** A call that is the batch's own or its second gives rows early: there is one from now on. */
    void givesRows(Batch<IN, OUT> batch, BatchRequest<IN> call) {
        Race<IN> race = races.isEmpty() ? null : races.get(batch);
        if (race == null) {
            return;
        }
        if (race.second == call) {
            secondWins(batch, race);
        } else {
            // What a second call would have had to be faster than.
            delay.observe(race.first.inputs().size(), nanoTime() - race.beganNanos);
            leave(batch, race);
        }
    }

    /** Neither call is waited for any more, as the batch's deadline has passed. */
    void timedOut(Batch<IN, OUT> batch) {
        Race<IN> race = races.isEmpty() ? null : races.get(batch);
        if (race != null) {
            observeGivenUp(race);
            leave(batch, race);
        }
    }

    private void observeGivenUp(Race<IN> race) {
        delay.observeGivenUp(race.first.inputs().size(), nanoTime() - race.beganNanos);
    }

    /** The first call goes its way without a second. */
    private void leave(Batch<IN, OUT> batch, Race<IN> race) {
        races.remove(batch);
        if (race.timer != null) {
            race.timer.cancel(false);
            race.timer = null;
        }
        if (race.second != null) {
            BatchRequest<IN> second = race.second;
            admission.hedgeDropped(race.endSecond());
            maker.giveUp(second);
        }
    }

    /** Cancels all timers and ends the permits of second calls. */
    void close() {
        for (Race<IN> race : races.values()) {
            if (race.timer != null) {
                race.timer.cancel(false);
            }
            if (race.second != null) {
                admission.hedgeDropped(race.endSecond());
            }
        }
        races.clear();
    }

    private long nanoTime() {
        return timeService.getClock().relativeTimeNanos();
    }
}
