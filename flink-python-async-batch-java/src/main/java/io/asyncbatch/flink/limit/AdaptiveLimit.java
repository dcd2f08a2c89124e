package io.asyncbatch.flink.limit;

import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * Finds the number of calls at which a backend is just fully used. Owned by one thread at a time.
 *
 * <p>Calls are judged in rounds, each about as long as a call takes. A round's <em>stretch</em> is
 * how many times longer its calls took than a calm backend would have needed for their batches. By
 * Little's law the backend itself holds {@code inFlight / stretch} of them (the knee), and the rest
 * wait. The limit moves to the knee and a short queue beyond it, which keeps the backend from ever
 * being idle:
 *
 * <pre>{@code
 * limit := limit + gain · (inFlight / stretch + ½ · √limit - limit)
 * }</pre>
 *
 * <p>with a gain of 1 when calls are held up, else ½. When three rounds had less of a queue than
 * there should be, the limit leaps by a fifth besides.
 *
 * <p>The queue does not depend on who asks, so clients of one backend that see the same stretch end
 * up with the same limit.
 *
 * <p>What a calm backend needs, {@link BatchCostModel}, is where algorithms of this kind go wrong.
 * A minimum that never expires takes a slower backend for a queue; one that expires, or a mean,
 * takes a queue for a slower backend, and the limit creeps up. So it is learnt only from calls that
 * cannot have waited for others of ours:
 *
 * <ul>
 *   <li>calls while the limit is not used, or grows for the first time;
 *   <li>every {@link #DRAIN_PERIOD_NANOS} a drain: the limit goes a little below the knee for two
 *       calls' time. Clients whose clocks agree drain together, which shows even those that came
 *       into a queue how the backend is without one;
 *   <li>a limit that went down, without calls getting quicker ({@link Descent}): then it is not our
 *       queue, and the limit goes back to where it was.
 * </ul>
 *
 * <p>A call that is dropped takes the limit down by a share, once for all calls that were in flight
 * with it.
 *
 * <p>Times are of a clock that never goes back. Drains of several clients coincide if its zero is
 * the same for all of them.
 */
@Internal
public final class AdaptiveLimit implements ConcurrencyLimit {

    /** How often the limit goes below the knee, to see the backend without a queue. */
    public static final long DRAIN_PERIOD_NANOS = 15_000_000_000L;

    private static final int MEMORY_CALLS = 400;
    private static final int FEWEST_CALLS_OF_A_ROUND = 4;
    private static final int FEWEST_CALLS_TO_LEARN_FROM = 8;

    /** Standard error that a round may have; it takes more calls where they differ more. */
    private static final double EXACT_ENOUGH = 0.05;

    private static final double LONGEST_ROUND = 3;
    private static final double VARIATION_GAIN = 0.2;

    /** Share of the limit that has to be in flight for it to be what holds calls back. */
    private static final double USED = 0.75;

    private static final double START_GROWTH = 2;

    // How far from 1 a stretch has to be to mean something, where calls differ little by
    // themselves.
    private static final double CONGESTED = 0.2;
    private static final double START_ENDS = 0.15;
    private static final double CALM = 0.08;
    private static final double FASTER = 0.05;

    /** Standard errors of a round's mean that are taken for noise. */
    private static final double NOISE = 2.5;

    private static final double GAIN = 0.5;
    private static final double MOST_FALL_OF_A_ROUND = 0.5;
    private static final double QUEUE = 0.5;
    private static final int CALM_ROUNDS_BEFORE_LEAPS = 3;
    private static final double LEAP = 1.2;
    private static final double DRAINED = 0.85;
    private static final double LONGEST_DRAIN_CALLS = 10;
    private static final double LEAST_CALLS_BETWEEN_DRAINS = 15;
    private static final double DRAIN_GAIN = 0.5;
    private static final double MOST_DRIFT_OF_A_DRAIN = 1.15;

    private static final double BACKOFF = 0.8;

    private static final int ROUNDS_AT_THE_FLOOR = 4;

    private enum Phase {
        START,
        CRUISE,
        DRAIN
    }

    private final LimitBounds bounds;
    private final BatchSizeUnit unit;
    private final BatchCostModel calm = new BatchCostModel(MEMORY_CALLS);

    private Phase phase = Phase.START;
    private double limit;
    private int allowed;
    private double owed;
    private double knee;
    private double stretch = 1;
    private double callNanos;
    private double variation;
    private boolean wasFaster;
    @Nullable private CallRound round;
    @Nullable private Descent descent;
    private int roundsAtTheFloor;
    private int calmRounds;

    private double limitBeforeDrain;
    private double inFlightBeforeDrain;
    private double stretchBeforeDrain;
    private long drainBeganNanos;
    private long lastEndNanos;

    /** What the limit doubles up to when calls are calm again; 0 if nothing was dropped. */
    private double kneeBeforeDrop;

    private boolean dropped;
    private long lastDropNanos;

    /**
     * @param unit what the time of a call grows with
     */
    public AdaptiveLimit(LimitBounds bounds, BatchSizeUnit unit) {
        this.bounds = bounds;
        this.unit = unit;
        this.limit = bounds.initial();
        this.allowed = bounds.initial();
        this.knee = bounds.initial();
    }

    @Override
    public int limit() {
        return allowed;
    }

    @Override
    public double knee() {
        return knee;
    }

    /**
     * How many times longer calls took than a calm backend would have needed, in the last round.
     */
    public double stretch() {
        return stretch;
    }

    @Override
    public void onCallEnded(EndedCall call) {
        switch (call.result()) {
            case SUCCESS -> onSuccess(call);
            case DROPPED -> onDrop(call);
            case IGNORED -> {
                // Nothing was learnt.
            }
        }
    }

    private void onSuccess(EndedCall call) {
        long now = call.endedNanos();
        if (round == null) {
            lastEndNanos = now;
            round = new CallRound(call.startedNanos());
        }
        round.offer(call, unit.of(call));
        if (round.calls() >= callsOfARound()) {
            CallRound ended = round;
            round = new CallRound(now);
            callNanos = ended.meanNanos();
            onRound(ended, now);
        } else if (phase == Phase.DRAIN
                && now - drainBeganNanos > LONGEST_DRAIN_CALLS * callNanos) {
            // Too few calls to tell, so there is no queue of ours either.
            endDrain();
        }
        drainIfItIsTime(call);
    }

    /** What is rounded off in one round is made up for in the next, so that 2.5 is not 3. */
    private void allow(double calls) {
        limit = bounds.clamp(calls);
        allowed = (int) bounds.clamp(Math.round(limit + owed));
        owed = Math.max(-0.5, Math.min(0.5, owed + limit - allowed));
    }

    /**
     * Not fewer than are in flight, since those that end first are the quick ones; and more where
     * calls differ much, within reason.
     */
    private int callsOfARound() {
        double exact = variation / EXACT_ENOUGH;
        double wanted = Math.max(allowed, Math.min(exact * exact, LONGEST_ROUND * allowed));
        int fewest = phase == Phase.CRUISE ? FEWEST_CALLS_OF_A_ROUND : FEWEST_CALLS_TO_LEARN_FROM;
        return (int) Math.min(CallRound.MOST_CALLS, Math.max(fewest, wanted));
    }

    private void onRound(CallRound ended, long now) {
        boolean unsure = calm.relativeError(ended.meanSize()) > 0.1;
        stretch = unsure ? 1 : ended.stretch(calm);
        if (unsure) {
            // Batches of a size that was not seen before: what they take is news, not a queue.
            ended.teach(calm);
        } else {
            variation +=
                    VARIATION_GAIN
                            * (ended.standardError(calm) * Math.sqrt(ended.calls()) - variation);
            learnIfFaster(ended);
        }
        switch (phase) {
            case START -> grow(ended);
            case CRUISE -> cruise(ended);
            case DRAIN -> judgeDrain(ended, now);
        }
    }

    /** Outside of a drain only if it lasts: by chance alone a round in many is quick. */
    private void learnIfFaster(CallRound ended) {
        boolean faster = stretch < 1 - tolerance(ended, FASTER);
        if (faster && (wasFaster || phase == Phase.DRAIN)) {
            calm.scale(stretch);
            ended.teach(calm);
        }
        wasFaster = faster;
    }

    private void grow(CallRound ended) {
        if (stretch > 1 + tolerance(ended, START_ENDS)) {
            phase = Phase.CRUISE;
            moveTowardsKnee(ended, 1);
            return;
        }
        learnIfCalm(ended);
        if (usesLimit(ended)) {
            knee = ended.meanInFlight();
            allow(limit * START_GROWTH);
        }
    }

    private void cruise(CallRound ended) {
        boolean used = usesLimit(ended);
        boolean congested = stretch > 1 + tolerance(ended, CONGESTED);
        if (!congested) {
            descent = null;
            roundsAtTheFloor = 0;
        } else if (foundSlower(ended)) {
            return;
        }
        // Shorter calls than with the queue that there should be: the knee is further away.
        boolean calmNow = used && stretch < 1 + Math.min(CALM, queue() / limit / 2);
        calmRounds = calmNow ? calmRounds + 1 : 0;
        if (calmNow && limit < kneeBeforeDrop) {
            knee = ended.meanInFlight();
            allow(Math.min(kneeBeforeDrop, limit * START_GROWTH));
        } else if (used || congested) {
            kneeBeforeDrop = 0;
            moveTowardsKnee(ended, congested ? 1 : GAIN);
        } else {
            learnIfCalm(ended);
        }
    }

    /** Whether fewer calls have not become quicker, so that the backend is what is slower. */
    private boolean foundSlower(CallRound ended) {
        if (descent == null) {
            descent = new Descent(limit, ended.meanInFlight(), stretch);
        }
        roundsAtTheFloor = limit() == bounds.least() ? roundsAtTheFloor + 1 : 0;
        Descent.Verdict verdict = descent.judge(ended.meanInFlight(), stretch);
        if (verdict == Descent.Verdict.SLOWER_BACKEND || roundsAtTheFloor == ROUNDS_AT_THE_FLOOR) {
            calm.scale(stretch);
            stretch = 1;
            allow(descent.fromLimit());
            descent = null;
            roundsAtTheFloor = 0;
            return true;
        }
        if (verdict == Descent.Verdict.QUEUE) {
            descent = null;
        }
        return false;
    }

    private void moveTowardsKnee(CallRound ended, double gain) {
        double inFlight = ended.meanInFlight();
        knee = inFlight / Math.max(1, stretch);
        double wanted = Math.max(knee + queue(), limit * MOST_FALL_OF_A_ROUND);
        // When nobody has waited for a while, the knee is somewhere else.
        double leap = calmRounds >= CALM_ROUNDS_BEFORE_LEAPS ? LEAP : 1;
        allow(leap * (limit + gain * (wanted - limit)));
    }

    private double queue() {
        return QUEUE * Math.sqrt(limit);
    }

    private boolean usesLimit(CallRound ended) {
        return ended.meanInFlight() >= USED * limit();
    }

    private void learnIfCalm(CallRound ended) {
        if (isCalm(ended)) {
            ended.teach(calm);
        }
    }

    private boolean isCalm(CallRound ended) {
        return Math.abs(stretch - 1) <= tolerance(ended, CALM);
    }

    private double tolerance(CallRound ended, double least) {
        double noise = Math.hypot(ended.standardError(calm), calm.relativeError(ended.meanSize()));
        return Math.max(least, NOISE * noise);
    }

    private void drainIfItIsTime(EndedCall call) {
        long now = call.endedNanos();
        long period = drainPeriodNanos();
        boolean isTime = Math.floorDiv(now, period) > Math.floorDiv(lastEndNanos, period);
        lastEndNanos = now;
        if (!isTime) {
            return;
        }
        if (phase != Phase.CRUISE || call.inFlight() < USED * limit()) {
            return;
        }
        phase = Phase.DRAIN;
        descent = null;
        limitBeforeDrain = limit;
        inFlightBeforeDrain = call.inFlight();
        stretchBeforeDrain = stretch;
        goBelow(knee, now);
    }

    /** Longer where calls are long; one client's drains are then some of those of another one. */
    private long drainPeriodNanos() {
        long period = DRAIN_PERIOD_NANOS;
        while (period < LEAST_CALLS_BETWEEN_DRAINS * callNanos && period < Long.MAX_VALUE / 4) {
            period *= 2;
        }
        return period;
    }

    private void goBelow(double calls, long now) {
        drainBeganNanos = now;
        allow(Math.min(DRAINED * calls, allowed - 1));
        // Only what begins when the queue has gone, ours and that of others.
        round = new CallRound(now + (long) callNanos);
    }

    private void judgeDrain(CallRound ended, long now) {
        double inFlight = ended.meanInFlight();
        if (stretch < 1 - tolerance(ended, FASTER) && limit() > bounds.least()) {
            // There was a queue even at what seemed to be the knee, and there may still be one.
            limitBeforeDrain = bounds.clamp(limit + queue());
            inFlightBeforeDrain = inFlight;
            stretchBeforeDrain = 1;
            goBelow(inFlight, now);
            return;
        }
        if (stretch > 1 + tolerance(ended, CALM)
                && Descent.elasticity(inFlightBeforeDrain, stretchBeforeDrain, inFlight, stretch)
                        < Descent.NO_ELASTICITY) {
            calm.scale(Math.min(MOST_DRIFT_OF_A_DRAIN, 1 + DRAIN_GAIN * (stretch - 1)));
        } else if (isCalm(ended)) {
            // Few calls, but the only ones in a while that nobody waited before.
            calm.scale(1 + DRAIN_GAIN * (stretch - 1));
            ended.teach(calm);
        }
        endDrain();
    }

    private void endDrain() {
        phase = Phase.CRUISE;
        allow(limitBeforeDrain);
    }

    private void onDrop(EndedCall call) {
        if (dropped && call.startedNanos() - lastDropNanos < 0) {
            return;
        }
        if (phase == Phase.DRAIN) {
            limit = limitBeforeDrain;
        }
        phase = Phase.CRUISE;
        kneeBeforeDrop = Math.max(kneeBeforeDrop, Math.min(knee, limit));
        allow(Math.min(limit, call.inFlight()) * BACKOFF);
        knee = Math.min(knee, limit);
        dropped = true;
        lastDropNanos = call.endedNanos();
        descent = null;
        calmRounds = 0;
        round = new CallRound(call.endedNanos());
    }
}
