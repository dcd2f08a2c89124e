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
    private final long intervalNanos;

    /**
     * @param rows of a burst
     * @param intervalMillis from the beginning of a burst to that of the next
     */
    public Bursts(int rows, long intervalMillis) {
        this.rows = rows;
        this.intervalNanos = TimeUnit.MILLISECONDS.toNanos(intervalMillis);
    }

    @Override
    public RateLimiter<S> createRateLimiter(int parallelism) {
        return new Limiter<>(rows, intervalNanos);
    }

    /** One reader's pace. Owned by the source's task thread. */
    private static final class Limiter<S extends SourceSplit> implements RateLimiter<S> {

        private final int rows;
        private final long intervalNanos;
        private long nextBurst = System.nanoTime();
        private int left;

        private Limiter(int rows, long intervalNanos) {
            this.rows = rows;
            this.intervalNanos = intervalNanos;
        }

        @Override
        public CompletionStage<Void> acquire(int count) {
            if (left > 0) {
                left -= count;
                return CompletableFuture.completedFuture(null);
            }
            left = rows - count;
            long now = System.nanoTime();
            long wait = nextBurst - now;
            // A burst that comes too late moves the ones after it; they do not crowd together.
            nextBurst = Math.max(nextBurst, now) + intervalNanos;
            if (wait <= 0) {
                return CompletableFuture.completedFuture(null);
            }
            return CompletableFuture.runAsync(
                    () -> {},
                    CompletableFuture.delayedExecutor(wait, TimeUnit.NANOSECONDS, Runnable::run));
        }
    }
}
