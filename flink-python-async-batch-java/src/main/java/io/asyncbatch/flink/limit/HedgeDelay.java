package io.asyncbatch.flink.limit;

import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;

/**
 * How long a call may take before a second one is worth while: longer than a share of the last
 * calls took, each measured against what a call of its size is expected to take. Owned by one
 * thread.
 *
 * <p>Of a call that was given up only a lower bound is known. Left out, or taken for as long as it
 * had taken by then, such calls would shorten the delay, more calls would be given up, and so on.
 * So the quantile is that of Kaplan and Meier's estimator, in which a call says something of the
 * times that it has seen and nothing of what came after it was given up. Where that many calls were
 * given up that the quantile is beyond all that is known, it is the longest of these times, and
 * what is given up next tells of longer ones.
 */
@Internal
public final class HedgeDelay {

    /** The calls that are remembered, the last ones. */
    public static final int WINDOW_CALLS = 256;

    /** What {@link #nanos} says as long as too little is known. */
    public static final long UNKNOWN = Long.MAX_VALUE;

    /** New calls until the quantile is computed anew. */
    private static final int REFRESH_CALLS = 8;

    private static final long NANOS_PER_MICRO = 1_000;
    private static final double ROUNDING = 1e-9;

    private final double percentile;
    private final long leastNanos;
    private final int leastCalls;

    private final int[] rows = new int[WINDOW_CALLS];
    private final long[] nanos = new long[WINDOW_CALLS];
    private final boolean[] givenUp = new boolean[WINDOW_CALLS];
    private int calls;
    private int next;

    private int newCalls;
    private BatchCostModel expected = new BatchCostModel(WINDOW_CALLS);
    private double stretch;

    /**
     * @param percentile share of calls that are quicker, above 0 and below 1
     * @param leastNanos the delay is never shorter
     * @param leastCalls nothing is known before so many, from 1 to {@link #WINDOW_CALLS}
     */
    public HedgeDelay(double percentile, long leastNanos, int leastCalls) {
        this.percentile = percentile;
        this.leastNanos = leastNanos;
        this.leastCalls = leastCalls;
    }

    /**
     * A call of so many rows took so long.
     *
     * @param callRows at least 1
     */
    public void observe(int callRows, long callNanos) {
        add(callRows, callNanos, false);
    }

    /**
     * A call of so many rows had taken so long when it was given up.
     *
     * @param callRows at least 1
     */
    public void observeGivenUp(int callRows, long callNanos) {
        add(callRows, callNanos, true);
    }

    private void add(int callRows, long callNanos, boolean wasGivenUp) {
        rows[next] = callRows;
        nanos[next] = Math.max(0, callNanos);
        givenUp[next] = wasGivenUp;
        next = (next + 1) % WINDOW_CALLS;
        calls = Math.min(calls + 1, WINDOW_CALLS);
        newCalls++;
    }

    /** The delay for a call of so many rows; {@link #UNKNOWN} before enough of them were seen. */
    public long nanos(int callRows) {
        if (calls < leastCalls) {
            return UNKNOWN;
        }
        if (newCalls >= REFRESH_CALLS || stretch == 0) {
            refresh();
        }
        double longest = stretch * expectedNanos(callRows);
        return Math.max(leastNanos, Math.round(longest / NANOS_PER_MICRO) * NANOS_PER_MICRO);
    }

    private void refresh() {
        newCalls = 0;
        expected = new BatchCostModel(WINDOW_CALLS);
        for (int i = 0; i < calls; i++) {
            int call = (next - calls + i + WINDOW_CALLS) % WINDOW_CALLS;
            if (!givenUp[call]) {
                expected.observe(rows[call], nanos[call]);
            }
        }
        stretch = quantile();
    }

    private double quantile() {
        List<Integer> byStretch =
                IntStream.range(0, calls)
                        .boxed()
                        .sorted(Comparator.comparingDouble(this::stretchOf))
                        .toList();
        double longer = 1;
        int atRisk = calls;
        for (int call : byStretch) {
            if (!givenUp[call]) {
                longer *= 1 - 1.0 / atRisk;
            }
            atRisk--;
            if (longer <= 1 - percentile + ROUNDING) {
                return stretchOf(call);
            }
        }
        return stretchOf(byStretch.get(calls - 1));
    }

    private double stretchOf(int call) {
        return nanos[call] / expectedNanos(rows[call]);
    }

    private double expectedNanos(int callRows) {
        return Math.max(1, expected.expectedNanos(callRows));
    }
}
