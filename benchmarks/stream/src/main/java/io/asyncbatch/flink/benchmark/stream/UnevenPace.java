package io.asyncbatch.flink.benchmark.stream;

import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.connector.source.SourceSplit;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiter;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;

/**
 * Lets rows go at a pace that the seed draws anew every second, twenty times a second. Between them
 * the source is idle, not blocked.
 *
 * @param <S> the source's splits
 */
public final class UnevenPace<S extends SourceSplit> implements RateLimiterStrategy<S> {

    private static final long serialVersionUID = 1L;
    private static final int PORTIONS_A_SECOND = 20;
    private static final long PORTION_NANOS = TimeUnit.SECONDS.toNanos(1) / PORTIONS_A_SECOND;

    private final long seed;
    private final int leastRows;
    private final int mostRows;

    /**
     * @param seed of the pace
     * @param leastRows a second of each reader, at least 20
     * @param mostRows a second of each reader, more than {@code leastRows}
     */
    public UnevenPace(long seed, int leastRows, int mostRows) {
        this.seed = seed;
        this.leastRows = leastRows;
        this.mostRows = mostRows;
    }

    @Override
    public RateLimiter<S> createRateLimiter(int parallelism) {
        return new Limiter<>(this);
    }

    /** One reader's pace. Owned by the source's task thread. */
    private static final class Limiter<S extends SourceSplit> implements RateLimiter<S> {

        private final UnevenPace<S> pace;
        private final Random random;
        private long nextPortion = System.nanoTime();
        private int portions;
        private int rowsOfPortion;
        private int left;

        private Limiter(UnevenPace<S> pace) {
            this.pace = pace;
            this.random = new Random(pace.seed);
        }

        @Override
        public CompletionStage<Void> acquire(int count) {
            if (left > 0) {
                left -= count;
                return CompletableFuture.completedFuture(null);
            }
            if (portions++ % PORTIONS_A_SECOND == 0) {
                int rows = pace.leastRows + random.nextInt(pace.mostRows - pace.leastRows);
                rowsOfPortion = rows / PORTIONS_A_SECOND;
            }
            left = rowsOfPortion - count;
            long now = System.nanoTime();
            long wait = nextPortion - now;
            // What comes too late moves what comes after it: no crowd follows a pause.
            nextPortion = Math.max(nextPortion, now) + PORTION_NANOS;
            if (wait <= 0) {
                return CompletableFuture.completedFuture(null);
            }
            return CompletableFuture.runAsync(
                    () -> {},
                    CompletableFuture.delayedExecutor(wait, TimeUnit.NANOSECONDS, Runnable::run));
        }
    }
}
