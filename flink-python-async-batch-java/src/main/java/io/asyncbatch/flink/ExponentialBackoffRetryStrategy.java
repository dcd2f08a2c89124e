package io.asyncbatch.flink;

import java.io.Serializable;
import java.time.Duration;
import java.util.Collection;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Predicate;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.streaming.api.functions.async.AsyncRetryPredicate;
import org.apache.flink.streaming.api.functions.async.AsyncRetryStrategy;

/**
 * Repeats a call after a delay that grows with each attempt, with full jitter if wanted. Unlike the
 * strategy of Flink's {@link org.apache.flink.streaming.util.retryable.AsyncRetryStrategies} it
 * keeps nothing from one attempt to the next, so any number of batches may use one at once.
 * Immutable.
 *
 * <p>Without a predicate no call is repeated.
 *
 * @param <OUT> type of the outputs
 */
@PublicEvolving
public final class ExponentialBackoffRetryStrategy<OUT> implements AsyncRetryStrategy<OUT> {

    private static final long serialVersionUID = 1L;

    private final int maxRetries;
    private final long initialDelayMillis;
    private final long maxDelayMillis;
    private final double multiplier;
    private final boolean fullJitter;
    private final SerializablePredicate<Collection<OUT>> resultPredicate;
    private final SerializablePredicate<Throwable> exceptionPredicate;

    /** A predicate that travels with the job, also as a lambda. */
    @PublicEvolving
    @FunctionalInterface
    public interface SerializablePredicate<T> extends Predicate<T>, Serializable {}

    private ExponentialBackoffRetryStrategy(Builder<OUT> builder) {
        maxRetries = builder.maxRetries;
        initialDelayMillis = builder.initialDelayMillis;
        maxDelayMillis = builder.maxDelayMillis;
        multiplier = builder.multiplier;
        fullJitter = builder.fullJitter;
        resultPredicate = builder.resultPredicate;
        exceptionPredicate = builder.exceptionPredicate;
    }

    /**
     * Begins a strategy.
     *
     * @param maxRetries how often a call is repeated at most, at least 1
     * @param initialDelay before the first repetition, at least 1 ms
     */
    public static <OUT> Builder<OUT> builder(int maxRetries, Duration initialDelay) {
        return new Builder<>(maxRetries, initialDelay);
    }

    @Override
    public boolean canRetry(int currentAttempts) {
        return currentAttempts <= maxRetries;
    }

    @Override
    public long getBackoffTimeMillis(int currentAttempts) {
        double grown = initialDelayMillis * Math.pow(multiplier, Math.max(0, currentAttempts - 1));
        long delay = (long) Math.min(grown, maxDelayMillis);
        return fullJitter ? ThreadLocalRandom.current().nextLong(delay + 1) : delay;
    }

    @Override
    public AsyncRetryPredicate<OUT> getRetryPredicate() {
        return new AsyncRetryPredicate<>() {
            @Override
            public Optional<Predicate<Collection<OUT>>> resultPredicate() {
                return Optional.ofNullable(resultPredicate);
            }

            @Override
            public Optional<Predicate<Throwable>> exceptionPredicate() {
                return Optional.ofNullable(exceptionPredicate);
            }
        };
    }

    /** Collects what makes a strategy. Not thread-safe. */
    public static final class Builder<OUT> {

        private static final double DEFAULT_MULTIPLIER = 2;

        /** Keeps the delay far from an overflow of the clock: a year. */
        private static final Duration LONGEST_DELAY = Duration.ofDays(365);

        private final int maxRetries;
        private final long initialDelayMillis;
        private long maxDelayMillis = LONGEST_DELAY.toMillis();
        private double multiplier = DEFAULT_MULTIPLIER;
        private boolean fullJitter;
        private SerializablePredicate<Collection<OUT>> resultPredicate;
        private SerializablePredicate<Throwable> exceptionPredicate;

        private Builder(int maxRetries, Duration initialDelay) {
            if (maxRetries < 1) {
                throw new IllegalArgumentException(
                        "maxRetries must be positive, got " + maxRetries);
            }
            this.maxRetries = maxRetries;
            this.initialDelayMillis = requireDelay("initialDelay", initialDelay);
        }

        /** The delay grows no further than this. No bound by default. */
        public Builder<OUT> maxDelay(Duration value) {
            maxDelayMillis = requireDelay("maxDelay", value);
            return this;
        }

        /** What each delay is of the one before, at least 1; by default 2. */
        public Builder<OUT> multiplier(double value) {
            if (!(value >= 1) || Double.isInfinite(value)) {
                throw new IllegalArgumentException("multiplier must be at least 1, got " + value);
            }
            multiplier = value;
            return this;
        }

        /** Draws each delay evenly from zero up to what it would be without: spreads a burst. */
        public Builder<OUT> fullJitter() {
            fullJitter = true;
            return this;
        }

        /** Which results, all those of a batch, have the call repeated. */
        public Builder<OUT> ifResult(SerializablePredicate<Collection<OUT>> predicate) {
            resultPredicate = Objects.requireNonNull(predicate, "predicate");
            return this;
        }

        /** Which failures have the call repeated. */
        public Builder<OUT> ifException(SerializablePredicate<Throwable> predicate) {
            exceptionPredicate = Objects.requireNonNull(predicate, "predicate");
            return this;
        }

        public ExponentialBackoffRetryStrategy<OUT> build() {
            return new ExponentialBackoffRetryStrategy<>(this);
        }

        private static long requireDelay(String name, Duration value) {
            Objects.requireNonNull(value, name);
            if (value.compareTo(Duration.ofMillis(1)) < 0 || value.compareTo(LONGEST_DELAY) > 0) {
                throw new IllegalArgumentException(
                        name + " must be between 1 ms and 365 days, got " + value);
            }
            return value.toMillis();
        }
    }
}
