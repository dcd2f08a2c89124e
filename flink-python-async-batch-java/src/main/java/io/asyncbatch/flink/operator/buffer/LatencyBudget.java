package io.asyncbatch.flink.operator.buffer;

import org.apache.flink.annotation.Internal;

/**
 * How long a batch may stay open for its first row to have its result in time, given how long calls
 * take. Owned by the mailbox thread.
 *
 * <p>Calls are expected to take as long as the smoothed mean of those seen plus four times their
 * smoothed deviation: the estimate that TCP makes of round trips (RFC 6298), which follows a change
 * within some ten calls and leaves few late. As long as none was seen, the whole target is spent.
 */
@Internal
public final class LatencyBudget {

    private static final double MEAN_GAIN = 1.0 / 8;
    private static final double DEVIATION_GAIN = 1.0 / 4;
    private static final int DEVIATIONS = 4;
    private static final double NANOS_PER_MILLI = 1e6;

    private final long targetMillis;

    private boolean seen;
    private double meanNanos;
    private double deviationNanos;

    /**
     * @param targetMillis from a row's arrival to its result, at least 1
     */
    public LatencyBudget(long targetMillis) {
        this.targetMillis = targetMillis;
    }

    /** A call took this long. */
    public void observe(long callNanos) {
        if (!seen) {
            seen = true;
            meanNanos = callNanos;
            deviationNanos = callNanos / 2.0;
            return;
        }
        deviationNanos += DEVIATION_GAIN * (Math.abs(callNanos - meanNanos) - deviationNanos);
        meanNanos += MEAN_GAIN * (callNanos - meanNanos);
    }

    /** What a batch may spend on waiting for rows; 0 if calls alone take the whole target. */
    public long formingMillis() {
        double callMillis = (meanNanos + DEVIATIONS * deviationNanos) / NANOS_PER_MILLI;
        return Math.max(0, (long) (targetMillis - callMillis));
    }
}
