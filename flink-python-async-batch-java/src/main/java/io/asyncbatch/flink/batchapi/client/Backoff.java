package io.asyncbatch.flink.batchapi.client;

import java.util.random.RandomGenerator;
import org.apache.flink.annotation.Internal;

/**
 * How long to wait before an attempt: evenly drawn up to a bound that doubles with each one (full
 * jitter). Keeps nothing from one attempt to the next, so any number of calls may use one.
 */
@Internal
public final class Backoff {

    private static final int MOST_DOUBLINGS = 30;

    private final long firstMillis;
    private final long longestMillis;
    private final RandomGenerator random;

    /**
     * @param firstMillis bound before the first repetition, at least 1
     * @param longestMillis what no bound exceeds
     */
    public Backoff(long firstMillis, long longestMillis, RandomGenerator random) {
        this.firstMillis = firstMillis;
        this.longestMillis = longestMillis;
        this.random = random;
    }

    /**
     * @param repetition 1 for the first
     * @param leastMillis what the other side asked for
     * @return milliseconds, at least 1
     */
    public long beforeRepetition(int repetition, long leastMillis) {
        int doublings = Math.min(repetition - 1, MOST_DOUBLINGS);
        long bound = Math.min(longestMillis, Math.max(firstMillis, firstMillis << doublings));
        return Math.max(leastMillis, 1 + random.nextLong(bound));
    }
}
