package io.asyncbatch.flink.function;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.BatchTooLargeException;
import io.asyncbatch.flink.ExponentialBackoffRetryStrategy;
import io.asyncbatch.flink.ExponentialBackoffRetryStrategy.SerializablePredicate;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.sidecar.SidecarException;
import io.asyncbatch.flink.sidecar.SidecarRetryPredicate;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.apache.flink.streaming.api.functions.async.AsyncRetryPredicate;
import org.apache.flink.streaming.api.functions.async.AsyncRetryStrategy;
import org.apache.flink.streaming.util.retryable.AsyncRetryStrategies;
import org.junit.jupiter.api.Test;

/** Which outcomes have a call repeated, and after which delay. */
class RetryDecisionTest {

    private static final SerializablePredicate<Throwable> IO_FAILURE =
            failure -> failure instanceof IOException;

    private final IOException ioFailure = new IOException("connection reset");

    @Test
    void aFailureThatThePredicateWantsIsRetriedAsOftenAsAllowed() throws Exception {
        RetryDecision<Integer> decision =
                new RetryDecision<>(
                        new AsyncRetryStrategies.FixedDelayRetryStrategyBuilder<Integer>(2, 30)
                                .ifException(IO_FAILURE)
                                .build());
        assertThat(decide(decision, BatchOutcome.failure(ioFailure), 1))
                .isEqualTo(BatchOutcome.retry(ioFailure, 30));
        assertThat(decide(decision, BatchOutcome.failure(ioFailure), 2))
                .isEqualTo(BatchOutcome.retry(ioFailure, 30));
        assertThat(decide(decision, BatchOutcome.failure(ioFailure), 3))
                .isEqualTo(BatchOutcome.failure(ioFailure));
    }

    @Test
    void aFailureThatSaysWhenIsNotRetriedBefore() throws Exception {
        RetryDecision<Integer> decision =
                new RetryDecision<>(
                        ExponentialBackoffRetryStrategy.<Integer>builder(1, Duration.ofMillis(5))
                                .ifException(new SidecarRetryPredicate())
                                .build());
        Throwable later = overloaded(Duration.ofMillis(250));
        assertThat(decide(decision, BatchOutcome.failure(later), 1))
                .isEqualTo(BatchOutcome.retry(later, 250));
        Throwable soon = new RuntimeException(overloaded(Duration.ofMillis(1)));
        assertThat(decide(decision, BatchOutcome.failure(soon), 1))
                .isEqualTo(BatchOutcome.retry(soon, 5));
    }

    @Test
    void aTimeThatNoNumberHoldsIsTheLongestThereIs() throws Exception {
        RetryDecision<Integer> decision =
                new RetryDecision<>(
                        ExponentialBackoffRetryStrategy.<Integer>builder(1, Duration.ofMillis(5))
                                .ifException(new SidecarRetryPredicate())
                                .build());
        Throwable never = overloaded(Duration.ofSeconds(Long.MAX_VALUE));
        assertThat(decide(decision, BatchOutcome.failure(never), 1))
                .isEqualTo(BatchOutcome.retry(never, Long.MAX_VALUE));
        Throwable longAgo = overloaded(Duration.ofSeconds(Long.MIN_VALUE));
        assertThat(decide(decision, BatchOutcome.failure(longAgo), 1))
                .isEqualTo(BatchOutcome.retry(longAgo, 5));
    }

    private static Throwable overloaded(Duration retryAfter) {
        return SidecarException.Kind.OVERLOADED.exception("later", true, retryAfter);
    }

    @Test
    void whatNoPredicateWantsIsLeftAsItIs() throws Exception {
        IllegalStateException other = new IllegalStateException("a bug");
        RetryDecision<Integer> decision =
                new RetryDecision<>(
                        new AsyncRetryStrategies.FixedDelayRetryStrategyBuilder<Integer>(2, 30)
                                .ifException(IO_FAILURE)
                                .build());
        assertThat(decide(decision, BatchOutcome.failure(other), 1))
                .isEqualTo(BatchOutcome.failure(other));
        assertThat(decide(decision, BatchOutcome.success(List.of(1)), 1))
                .isEqualTo(BatchOutcome.success(List.of(1)));
    }

    @Test
    void resultsThatThePredicateWantsAreRetried() throws Exception {
        RetryDecision<Integer> decision =
                new RetryDecision<>(
                        ExponentialBackoffRetryStrategy.<Integer>builder(1, Duration.ofMillis(5))
                                .ifResult(results -> results.contains(-1))
                                .build());
        assertThat(decide(decision, BatchOutcome.success(List.of(1, -1)), 1))
                .isEqualTo(BatchOutcome.retry(null, 5));
        assertThat(decide(decision, BatchOutcome.success(List.of(1, 2)), 1))
                .isEqualTo(BatchOutcome.success(List.of(1, 2)));
        assertThat(decide(decision, BatchOutcome.success(List.of(1, -1)), 2))
                .isEqualTo(BatchOutcome.success(List.of(1, -1)));
    }

    @Test
    void resultsOfASupplierAreLookedAtToo() throws Exception {
        RetryDecision<Integer> decision =
                new RetryDecision<>(
                        ExponentialBackoffRetryStrategy.<Integer>builder(1, Duration.ofMillis(5))
                                .ifResult(results -> results.contains(-1))
                                .ifException(e -> true)
                                .build());
        assertThat(
                        decide(
                                decision,
                                BatchOutcome.deferred(() -> BatchOutcome.success(List.of(-1))),
                                1))
                .isEqualTo(BatchOutcome.retry(null, 5));
        assertThat(
                        decide(
                                decision,
                                BatchOutcome.deferred(
                                        () -> {
                                            throw ioFailure;
                                        }),
                                1))
                .isEqualTo(BatchOutcome.retry(ioFailure, 5));
    }

    /** What may only have been too much at that moment is repeated before it is halved. */
    @Test
    void aBatchThatIsTooLargeIsRetriedOnlyForAServerThatMayRecover() throws Exception {
        RetryDecision<Integer> decision =
                new RetryDecision<>(
                        ExponentialBackoffRetryStrategy.<Integer>builder(1, Duration.ofMillis(5))
                                .ifException(e -> true)
                                .build());
        SidecarException overloaded = SidecarException.Kind.OVERLOADED.exception("busy");
        BatchOutcome<Integer> perhaps =
                BatchOutcome.tooLarge(new BatchTooLargeException("perhaps", overloaded));
        assertThat(decide(decision, perhaps, 1)).isEqualTo(BatchOutcome.retry(overloaded, 5));
        assertThat(decide(decision, perhaps, 2)).isEqualTo(perhaps);
        BatchOutcome<Integer> surely = BatchOutcome.tooLarge(new BatchTooLargeException("surely"));
        assertThat(decide(decision, surely, 1)).isEqualTo(surely);
    }

    /** Flink's strategy multiplies a field of its own each time that it is asked. */
    @Test
    void batchesThatShareFlinksExponentialStrategyDoNotDisturbEachOther() throws Exception {
        RetryDecision<Integer> decision =
                new RetryDecision<>(
                        new AsyncRetryStrategies.ExponentialBackoffDelayRetryStrategyBuilder<
                                        Integer>(5, 10, 1_000, 2.0)
                                .ifException(IO_FAILURE)
                                .build());
        for (int batch = 0; batch < 3; batch++) {
            List<Long> delays =
                    List.of(
                            delay(decision, 1),
                            delay(decision, 2),
                            delay(decision, 3),
                            delay(decision, 4));
            assertThat(delays).containsExactly(10L, 20L, 40L, 80L);
        }
        assertThat(delay(decision, 3)).isEqualTo(40L);
    }

    @Test
    void aPredicateThatRaisesIsAnErrorAndNotARetry() {
        RetryDecision<Integer> decision =
                new RetryDecision<>(
                        ExponentialBackoffRetryStrategy.<Integer>builder(1, Duration.ofMillis(5))
                                .ifException(
                                        e -> {
                                            throw new IllegalStateException("the predicate raised");
                                        })
                                .build());
        assertThatThrownBy(() -> decide(decision, BatchOutcome.failure(ioFailure), 1))
                .hasMessage("the predicate raised");
    }

    @Test
    void aNegativeDelayIsRefused() {
        assertThatThrownBy(
                        () ->
                                decide(
                                        new RetryDecision<>(new NegativeDelay()),
                                        BatchOutcome.failure(ioFailure),
                                        1))
                .hasMessage("the delay before a retry must not be negative, got -7 ms");
    }

    private static final class NegativeDelay implements AsyncRetryStrategy<Integer> {

        private static final long serialVersionUID = 1L;

        @Override
        public boolean canRetry(int currentAttempts) {
            return true;
        }

        @Override
        public long getBackoffTimeMillis(int currentAttempts) {
            return -7;
        }

        @Override
        public AsyncRetryPredicate<Integer> getRetryPredicate() {
            return ExponentialBackoffRetryStrategy.<Integer>builder(1, Duration.ofMillis(1))
                    .ifException(IO_FAILURE)
                    .build()
                    .getRetryPredicate();
        }
    }

    private long delay(RetryDecision<Integer> decision, int attempt) throws Exception {
        BatchOutcome<Integer> outcome = decide(decision, BatchOutcome.failure(ioFailure), attempt);
        return ((BatchOutcome.Retry<Integer>) outcome).delayMillis();
    }

    private static BatchOutcome<Integer> decide(
            RetryDecision<Integer> decision, BatchOutcome<Integer> outcome, int attempt)
            throws Exception {
        BatchOutcome<Integer> deferred = decision.inMailbox(outcome, attempt);
        return ((BatchOutcome.Deferred<Integer>) deferred).outcome().call();
    }
}
