package io.asyncbatch.flink.limit;

/**
 * A limit on its way down, and whether that helps. Owned by one thread at a time.
 *
 * <p>Calls that take longer than usual either wait in a queue, of which ours are a part, or the
 * backend has become slower. Only in the first case do they get quicker when there are fewer of
 * them. What tells the two apart is the elasticity of call time over calls in flight: 1 in a queue
 * that is all ours, our share of it if others are in it too, 0 if there is none.
 */
final class Descent {

    /** How far calls in flight have to fall before anything is concluded: beyond noise. */
    private static final double LEAST_FALL = Math.log(1 / 0.65);

    /** Below this the queue, if there is one, is that of others by four fifths. */
    static final double NO_ELASTICITY = 0.2;

    /** So much longer calls have become slower, and do not just differ. */
    private static final double WORSE = 1.1;

    /** What a descent has shown so far. */
    enum Verdict {
        OPEN,
        QUEUE,
        SLOWER_BACKEND
    }

    private final double fromLimit;
    private double inFlight;
    private double stretch;

    /**
     * @param fromLimit limit before the descent
     */
    Descent(double fromLimit, double inFlight, double stretch) {
        this.fromLimit = fromLimit;
        this.inFlight = inFlight;
        this.stretch = stretch;
    }

    /** The limit before it began. */
    double fromLimit() {
        return fromLimit;
    }

    /** Looks at a later round, which had fewer calls in flight. */
    Verdict judge(double laterInFlight, double laterStretch) {
        if (laterStretch > WORSE * stretch) {
            // Still getting worse, so that an earlier point would compare different times.
            inFlight = laterInFlight;
            stretch = laterStretch;
            return Verdict.OPEN;
        }
        if (Math.log(inFlight / laterInFlight) < LEAST_FALL) {
            return Verdict.OPEN;
        }
        return elasticity(inFlight, stretch, laterInFlight, laterStretch) < NO_ELASTICITY
                ? Verdict.SLOWER_BACKEND
                : Verdict.QUEUE;
    }

    /**
     * By which power of the calls in flight their time fell.
     *
     * @return infinite if there were not fewer in flight, so that nothing can be said
     */
    static double elasticity(
            double inFlight, double stretch, double laterInFlight, double laterStretch) {
        double fall = Math.log(inFlight / laterInFlight);
        return fall <= 0 ? Double.POSITIVE_INFINITY : Math.log(stretch / laterStretch) / fall;
    }
}
