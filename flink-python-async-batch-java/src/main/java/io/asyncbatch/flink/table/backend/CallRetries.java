package io.asyncbatch.flink.table.backend;

import io.asyncbatch.flink.ExponentialBackoffRetryStrategy;
import io.asyncbatch.flink.ExponentialBackoffRetryStrategy.SerializablePredicate;
import java.time.Duration;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.functions.async.AsyncRetryStrategy;

/**
 * How often and when a failed call is repeated. Immutable.
 *
 * @param most repetitions of one batch
 * @param delay before the first
 * @param multiplier what each delay is of the one before, at least 1
 * @param maxDelay delays grow no further
 */
@Internal
public record CallRetries(int most, Duration delay, int multiplier, Duration maxDelay) {

    /** As a strategy for Java functions. */
    <OUT> AsyncRetryStrategy<OUT> strategy(SerializablePredicate<Throwable> failures) {
        return ExponentialBackoffRetryStrategy.<OUT>builder(most, delay)
                .multiplier(multiplier)
                .maxDelay(maxDelay)
                .ifException(failures)
                .build();
    }
}
