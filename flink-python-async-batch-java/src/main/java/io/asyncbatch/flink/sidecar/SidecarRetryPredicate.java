package io.asyncbatch.flink.sidecar;

import io.asyncbatch.flink.ExponentialBackoffRetryStrategy.SerializablePredicate;
import java.util.Collection;
import java.util.Optional;
import java.util.function.Predicate;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.streaming.api.functions.async.AsyncRetryPredicate;
import org.apache.flink.util.ExceptionUtils;

/**
 * Wants calls repeated that failed with a {@link SidecarException} which {@linkplain
 * SidecarException#isRetryable() may pass}. For {@code ifException} of our retry strategy and of
 * Flink's builders. Stateless.
 */
@PublicEvolving
public final class SidecarRetryPredicate implements SerializablePredicate<Throwable> {

    private static final long serialVersionUID = 1L;

    @Override
    public boolean test(Throwable failure) {
        return ExceptionUtils.findThrowable(failure, SidecarException.class)
                .map(SidecarException::isRetryable)
                .orElse(false);
    }

    /**
     * The same for strategies that take both predicates at once; repeats no call for its results.
     */
    public <OUT> AsyncRetryPredicate<OUT> asAsyncRetryPredicate() {
        return new AsyncRetryPredicate<>() {
            @Override
            public Optional<Predicate<Collection<OUT>>> resultPredicate() {
                return Optional.empty();
            }

            @Override
            public Optional<Predicate<Throwable>> exceptionPredicate() {
                return Optional.of(SidecarRetryPredicate.this);
            }
        };
    }
}
