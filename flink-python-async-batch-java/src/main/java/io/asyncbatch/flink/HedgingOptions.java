package io.asyncbatch.flink;

import io.asyncbatch.flink.limit.HedgeDelay;
import java.io.Serializable;
import java.time.Duration;
import org.apache.flink.annotation.PublicEvolving;

/**
 * When a batch that takes long is called for a second time while its first call goes on; the first
 * result counts, and the other call is given up. Off unless asked for, and needs a {@link
 * RetryBudgetOptions retry budget}, which every such call is taken from.
 *
 * <p><b>The function must be idempotent</b>: it is called twice for the same rows, at the same
 * time. What it writes, charges or counts happens twice. A Java function gets the same list of the
 * same objects both times, and <b>must not change its inputs</b>.
 *
 * @param percentile share of the last calls that were quicker than what is called for again, from
 *     0.5 to 0.99
 * @param minDelay no second call before this, at least 1 ms, in whole milliseconds
 * @param leastCalls no second call before so many calls have ended, from 1 to 256
 */
@PublicEvolving
public record HedgingOptions(double percentile, Duration minDelay, int leastCalls)
        implements Serializable {

    private static final double LEAST_PERCENTILE = 0.5;
    private static final double MOST_PERCENTILE = 0.99;
    private static final double DEFAULT_PERCENTILE = 0.95;
    private static final Duration DEFAULT_MIN_DELAY = Duration.ofMillis(10);
    private static final int DEFAULT_LEAST_CALLS = 20;

    /**
     * @throws IllegalArgumentException if a value is out of its range
     */
    public HedgingOptions {
        if (!(percentile >= LEAST_PERCENTILE && percentile <= MOST_PERCENTILE)) {
            throw new IllegalArgumentException(
                    "percentile of hedging must be between "
                            + LEAST_PERCENTILE
                            + " and "
                            + MOST_PERCENTILE
                            + ", got "
                            + percentile);
        }
        DurationOption.requireMillis("min_delay of hedging", minDelay);
        if (leastCalls < 1 || leastCalls > HedgeDelay.WINDOW_CALLS) {
            throw new IllegalArgumentException(
                    "least_calls of hedging must be between 1 and "
                            + HedgeDelay.WINDOW_CALLS
                            + ", got "
                            + leastCalls);
        }
    }

    /** After the 95th percentile and 10 ms, once 20 calls have ended. */
    public static HedgingOptions defaults() {
        return ofPercentile(DEFAULT_PERCENTILE);
    }

    /** After this percentile and 10 ms, once 20 calls have ended. */
    public static HedgingOptions ofPercentile(double percentile) {
        return new HedgingOptions(percentile, DEFAULT_MIN_DELAY, DEFAULT_LEAST_CALLS);
    }
}
