package io.asyncbatch.flink.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.AsyncBatchFunction;
import io.asyncbatch.flink.AsyncBatchOptions;
import io.asyncbatch.flink.AsyncDataStream;
import io.asyncbatch.flink.ExponentialBackoffRetryStrategy;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.async.AsyncRetryStrategy;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.apache.flink.streaming.util.retryable.AsyncRetryStrategies;
import org.apache.flink.streaming.util.retryable.RetryPredicates;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Calls that are repeated until they succeed, by Flink's strategies and ours. */
@Timeout(120)
class RetryITCase {

    private static final long ROWS = 20;
    private static final int BATCH = 4;
    private static final int ATTEMPTS = 3;

    @RegisterExtension static final MiniClusterExtension CLUSTER = Jobs.cluster(1);

    @BeforeEach
    void forget() {
        Flaky.CALLS.clear();
    }

    @ParameterizedTest
    @EnumSource
    void afterAFixedDelay(Ordering ordering) throws Exception {
        everyBatchSucceedsAtItsThirdCall(
                ordering,
                new AsyncRetryStrategies.FixedDelayRetryStrategyBuilder<Long>(5, 2)
                        .ifException(RetryPredicates.HAS_EXCEPTION_PREDICATE)
                        .build());
    }

    @ParameterizedTest
    @EnumSource
    void afterFlinksGrowingDelay(Ordering ordering) throws Exception {
        everyBatchSucceedsAtItsThirdCall(
                ordering,
                new AsyncRetryStrategies.ExponentialBackoffDelayRetryStrategyBuilder<Long>(
                                5, 1, 10, 2)
                        .ifException(RetryPredicates.HAS_EXCEPTION_PREDICATE)
                        .build());
    }

    @ParameterizedTest
    @EnumSource
    void afterOurGrowingDelayWithJitter(Ordering ordering) throws Exception {
        everyBatchSucceedsAtItsThirdCall(
                ordering,
                ExponentialBackoffRetryStrategy.<Long>builder(5, Duration.ofMillis(1))
                        .maxDelay(Duration.ofMillis(10))
                        .fullJitter()
                        .ifException(failure -> failure.getMessage().contains("not yet"))
                        .build());
    }

    @ParameterizedTest
    @EnumSource
    void becauseOfTheResults(Ordering ordering) throws Exception {
        DataStream<Long> results =
                ordering.applyWithRetry(
                        rows(),
                        new Flaky() {
                            @Override
                            void fail(List<Long> rows, ResultFuture<Long> future) {
                                future.complete(rows.stream().map(row -> 0L).toList());
                            }
                        },
                        Jobs.batchesOf(BATCH).build(),
                        ExponentialBackoffRetryStrategy.<Long>builder(5, Duration.ofMillis(1))
                                .ifResult(batch -> batch.contains(0L))
                                .build());

        assertResultsAfterThreeCalls(ordering, Jobs.collect(results));
    }

    /** One retry is one short of success. */
    @ParameterizedTest
    @EnumSource
    void givesUpAfterTheLastRetryWithTheLastFailure(Ordering ordering) {
        Jobs.assertFailsWith(
                "not yet, after 2",
                ordering.applyWithRetry(
                        rows(),
                        new Flaky(),
                        Jobs.batchesOf(BATCH).build(),
                        ExponentialBackoffRetryStrategy.<Long>builder(1, Duration.ofMillis(1))
                                .ifException(failure -> true)
                                .build()));
    }

    @ParameterizedTest
    @EnumSource
    void aFailureThatIsNotWorthARetryFailsTheJob(Ordering ordering) {
        Jobs.assertFailsWith(
                "not yet, after 1",
                ordering.applyWithRetry(
                        rows(),
                        new Flaky(),
                        Jobs.batchesOf(BATCH).build(),
                        ExponentialBackoffRetryStrategy.<Long>builder(5, Duration.ofMillis(1))
                                .ifException(IllegalArgumentException.class::isInstance)
                                .build()));
    }

    /** The timeout bounds all attempts together. */
    @ParameterizedTest
    @EnumSource
    void endsAtTheTimeout(Ordering ordering) {
        Jobs.assertFailsWith(
                "Async batch function call has timed out.",
                ordering.applyWithRetry(
                        rows(),
                        new Flaky(),
                        AsyncBatchOptions.builder(BATCH, Duration.ofMillis(50)).build(),
                        ExponentialBackoffRetryStrategy.<Long>builder(5, Duration.ofDays(1))
                                .ifException(failure -> true)
                                .build()));
    }

    @Test
    void theShortFormsRetryToo() throws Exception {
        AsyncRetryStrategy<Long> strategy =
                new AsyncRetryStrategies.FixedDelayRetryStrategyBuilder<Long>(5, 1)
                        .ifException(RetryPredicates.HAS_EXCEPTION_PREDICATE)
                        .build();
        assertResultsAfterThreeCalls(
                Ordering.ORDERED,
                Jobs.collect(
                        AsyncDataStream.orderedWaitBatchWithRetry(
                                rows(), new Flaky(), 1, TimeUnit.MINUTES, BATCH, 1, 2, strategy)));
        forget();
        assertResultsAfterThreeCalls(
                Ordering.UNORDERED,
                Jobs.collect(
                        AsyncDataStream.unorderedWaitBatchWithRetry(
                                rows(), new Flaky(), 1, TimeUnit.MINUTES, BATCH, 1, 2, strategy)));
    }

    private static void everyBatchSucceedsAtItsThirdCall(
            Ordering ordering, AsyncRetryStrategy<Long> strategy) throws Exception {
        assertResultsAfterThreeCalls(
                ordering,
                Jobs.collect(
                        ordering.applyWithRetry(
                                rows(), new Flaky(), Jobs.batchesOf(BATCH).build(), strategy)));
    }

    private static void assertResultsAfterThreeCalls(Ordering ordering, List<Long> results) {
        ordering.assertResults(
                results, LongStream.rangeClosed(1, ROWS).map(row -> row * 10).boxed().toList());
        assertThat(Flaky.CALLS)
                .hasSize((int) ROWS / BATCH)
                .allSatisfy((batch, calls) -> assertThat(calls).isEqualTo(ATTEMPTS));
    }

    private static DataStream<Long> rows() {
        return Jobs.numbers(1, ROWS);
    }

    /** Fails the first two calls of each batch, and answers from another thread. */
    private static class Flaky implements AsyncBatchFunction<Long, Long> {

        static final Map<List<Long>, Integer> CALLS = new ConcurrentHashMap<>();

        @Override
        public void asyncInvokeBatch(List<Long> rows, ResultFuture<Long> future) {
            int call = CALLS.merge(List.copyOf(rows), 1, Integer::sum);
            CompletableFuture.runAsync(
                    () -> {
                        if (call < ATTEMPTS) {
                            fail(rows, future);
                        } else {
                            future.complete(rows.stream().map(row -> row * 10).toList());
                        }
                    });
        }

        void fail(List<Long> rows, ResultFuture<Long> future) {
            int calls = CALLS.get(List.copyOf(rows));
            future.completeExceptionally(new IllegalStateException("not yet, after " + calls));
        }
    }
}
