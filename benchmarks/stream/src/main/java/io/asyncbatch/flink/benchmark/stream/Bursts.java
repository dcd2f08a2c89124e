package io.asyncbatch.flink.benchmark.stream;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.connector.source.SourceSplit;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiter;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;

/**
 * Lets rows go in bursts at a fixed pace. Between two bursts the source is idle, not blocked: its
 * task thread is free for whatever else its chain has to do.
 *
 * @param <S> the source's splits
 */
public final class Bursts<S extends SourceSplit> implements RateLimiterStrategy<S> {

    private static final long serialVersionUID = 1L;

    private final int rows;
    private final int quickBursts;
    private final long quickIntervalNanos;
    private final long intervalNanos;

    /**
     * @param rows of a burst
     * @param quickBursts how many come first, in less time, until the code they run is compiled
     * @param quickIntervalMillis from the beginning of such a burst to that of the next
     * @param intervalMillis from the beginning of a later burst to that of the next
     */
    public Bursts(int rows, int quickBursts, long quickIntervalMillis, long intervalMillis) {
        this.rows = rows;
        this.quickBursts = quickBursts;
        this.quickIntervalNanos = TimeUnit.MILLISECONDS.toNanos(quickIntervalMillis);
        this.intervalNanos = TimeUnit.MILLISECONDS.toNanos(intervalMillis);
    }

    @Override
    public RateLimiter<S> createRateLimiter(int parallelism) {
        return new Limiter<>(this);
    }

    /** One reader's pace. Owned by the source's task thread. */
    private static final class Limiter<S extends SourceSplit> implements RateLimiter<S> {

        private final Bursts<S> pace;
        private long nextBurst = System.nanoTime();
        private int bursts;
        private int left;

        private Limiter(Bursts<S> pace) {
            this.pace = pace;
        }

        @Override
        public CompletionStage<Void> acquire(int count) {
            if (left > 0) {
                left -= count;
                return CompletableFuture.completedFuture(null);
            }
            left = pace.rows - count;
            long now = System.nanoTime();
            long wait = nextBurst - now;
            // A burst that comes too late moves the ones after it; they do not crowd together.
            nextBurst =
                    Math.max(nextBurst, now)
                            + (bursts++ < pace.quickBursts
                                    ? pace.quickIntervalNanos
                                    : pace.intervalNanos);
            if (wait <= 0) {
                return CompletableFuture.completedFuture(null);
            }
            return CompletableFuture.runAsync(
                    () -> {},
                    CompletableFuture.delayedExecutor(wait, TimeUnit.NANOSECONDS, Runnable::run));
        }
    }
}
