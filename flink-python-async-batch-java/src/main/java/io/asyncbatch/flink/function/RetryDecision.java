package io.asyncbatch.flink.function;

import io.asyncbatch.flink.RetryAfter;
import io.asyncbatch.flink.invoker.BatchOutcome;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Predicate;
import org.apache.flink.streaming.api.functions.async.AsyncRetryPredicate;
import org.apache.flink.streaming.api.functions.async.AsyncRetryStrategy;
import org.apache.flink.util.ExceptionUtils;
import org.apache.flink.util.InstantiationUtil;

/**
 * Decides by the user's strategy which outcomes have a call repeated, and when. The strategy's code
 * runs in the mailbox thread, as with Flink's operator.
 */
final class RetryDecision<OUT> {

    private static final Duration LONGEST = Duration.ofMillis(Long.MAX_VALUE);

    private final AsyncRetryStrategy<OUT> strategy;

    RetryDecision(AsyncRetryStrategy<OUT> strategy) {
        this.strategy = strategy;
    }

    /** The outcome, or a retry in its place. */
    BatchOutcome<OUT> inMailbox(BatchOutcome<OUT> outcome, int attempt) {
        return BatchOutcome.deferred(() -> decide(outcome, attempt));
    }

    private BatchOutcome<OUT> decide(BatchOutcome<OUT> outcome, int attempt) throws Exception {
        BatchOutcome<OUT> told = outcome;
        if (outcome instanceof BatchOutcome.Deferred<OUT> deferred) {
            told = deferred.tell();
        }
        AsyncRetryPredicate<OUT> predicate = strategy.getRetryPredicate();
        if (told instanceof BatchOutcome.Success<OUT> success) {
            // Of rows that the function has given up no strategy is asked.
            return success.failures().isEmpty()
                            && wanted(predicate.resultPredicate(), success.results(), attempt)
                    ? BatchOutcome.retry(null, delayMillis(attempt))
                    : told;
        }
        if (told instanceof BatchOutcome.Failure<OUT> failure) {
            return wanted(predicate.exceptionPredicate(), failure.cause(), attempt)
                    ? BatchOutcome.retry(failure.cause(), delayMillis(attempt, failure.cause()))
                    : told;
        }
        if (told instanceof BatchOutcome.TooLarge<OUT> tooLarge) {
            // A server that may only have had too much to do is asked again as it is used to.
            Throwable behind = tooLarge.cause().getCause();
            return behind instanceof RetryAfter
                            && wanted(predicate.exceptionPredicate(), behind, attempt)
                    ? BatchOutcome.retry(behind, delayMillis(attempt, behind))
                    : told;
        }
        return told;
    }

    private <T> boolean wanted(Optional<Predicate<T>> predicate, T value, int attempt) {
        return predicate.isPresent() && strategy.canRetry(attempt) && predicate.get().test(value);
    }

    /** No sooner than what failed asks for, which may know better when it has recovered. */
    private long delayMillis(int attempt, Throwable cause)
            throws IOException, ClassNotFoundException {
        long delay = delayMillis(attempt);
        return ExceptionUtils.findThrowable(cause, RetryAfter.class::isInstance)
                .flatMap(failure -> ((RetryAfter) failure).retryAfter())
                .map(asked -> Math.max(delay, millisOf(asked)))
                .orElse(delay);
    }

    /** What fails may ask for more than a number holds; the batch's deadline ends the wait. */
    private static long millisOf(Duration asked) {
        if (asked.isNegative()) {
            return 0;
        }
        return asked.compareTo(LONGEST) > 0 ? LONGEST.toMillis() : asked.toMillis();
    }

    /**
     * Depends on the attempt alone. Flink's exponential strategy keeps its last delay in itself,
     * where batches that are retried at the same time would find each other's. So a copy is asked
     * for the delays of this batch's attempts, one after the other.
     */
    private long delayMillis(int attempt) throws IOException, ClassNotFoundException {
        AsyncRetryStrategy<OUT> copy =
                InstantiationUtil.clone(strategy, strategy.getClass().getClassLoader());
        long delay = 0;
        for (int earlier = 1; earlier <= attempt; earlier++) {
            delay = copy.getBackoffTimeMillis(earlier);
        }
        return delay;
    }
}
