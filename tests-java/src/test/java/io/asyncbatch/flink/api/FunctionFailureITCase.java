package io.asyncbatch.flink.api;

import io.asyncbatch.flink.AsyncBatchFunction;
import io.asyncbatch.flink.AsyncBatchOptions;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeoutException;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Calls that do not end well: what the user reads, and what may still be saved. */
@Timeout(120)
class FunctionFailureITCase {

    @RegisterExtension static final MiniClusterExtension CLUSTER = Jobs.cluster(1);

    @ParameterizedTest
    @EnumSource
    void whatTheFunctionThrowsFailsTheJob(Ordering ordering) {
        Jobs.assertFailsWith(
                "no such model",
                apply(
                        ordering,
                        (rows, future) -> {
                            throw new IllegalStateException("no such model");
                        }));
    }

    @ParameterizedTest
    @EnumSource
    void whatAnotherThreadReportsFailsTheJob(Ordering ordering) {
        Jobs.assertFailsWith(
                "connection reset",
                apply(
                        ordering,
                        (rows, future) ->
                                CompletableFuture.runAsync(
                                        () ->
                                                future.completeExceptionally(
                                                        new IllegalStateException(
                                                                "connection reset")))));
    }

    @ParameterizedTest
    @EnumSource
    void whatASupplierThrowsFailsTheJob(Ordering ordering) {
        Jobs.assertFailsWith(
                "cannot be parsed",
                apply(
                        ordering,
                        (rows, future) ->
                                future.complete(
                                        () -> {
                                            throw new IllegalStateException("cannot be parsed");
                                        })));
    }

    @ParameterizedTest
    @EnumSource
    void anotherNumberOfResultsFailsTheJob(Ordering ordering) {
        Jobs.assertFailsWith(
                "one element for each of its 2 inputs, but it has 1",
                apply(ordering, (rows, future) -> future.complete(rows.subList(1, 2))));
    }

    @ParameterizedTest
    @EnumSource
    void noResultFailsTheJob(Ordering ordering) {
        Jobs.assertFailsWith(
                "the result cannot be null",
                apply(ordering, (rows, future) -> future.complete((Collection<Long>) null)));
    }

    @ParameterizedTest
    @EnumSource
    void aBatchThatIsLateFailsTheJob(Ordering ordering) {
        Jobs.assertFailsWith(
                "Async batch function call has timed out.",
                timingOut(ordering, new NeverAnswers()));
    }

    @ParameterizedTest
    @EnumSource
    void whatTheTimeoutHandlerThrowsFailsTheJob(Ordering ordering) {
        Jobs.assertFailsWith(
                "2 rows are lost",
                timingOut(
                        ordering,
                        new NeverAnswers() {
                            @Override
                            public void timeoutBatch(List<Long> rows, ResultFuture<Long> future)
                                    throws Exception {
                                throw new TimeoutException(rows.size() + " rows are lost");
                            }
                        }));
    }

    @ParameterizedTest
    @EnumSource
    void theTimeoutHandlerMaySupplyTheResults(Ordering ordering) throws Exception {
        ordering.assertResults(
                Jobs.collect(
                        timingOut(
                                ordering,
                                new NeverAnswers() {
                                    @Override
                                    public void timeoutBatch(
                                            List<Long> rows, ResultFuture<Long> future) {
                                        List<Long> negative =
                                                rows.stream().map(row -> -row).toList();
                                        CompletableFuture.runAsync(() -> future.complete(negative));
                                    }
                                })),
                List.of(-1L, -2L, -3L, -4L));
    }

    private static DataStream<Long> apply(
            Ordering ordering, AsyncBatchFunction<Long, Long> function) {
        return ordering.apply(rows(), function, Jobs.batchesOf(2).build()).returns(Long.class);
    }

    private static DataStream<Long> timingOut(
            Ordering ordering, AsyncBatchFunction<Long, Long> function) {
        return ordering.apply(
                rows(), function, AsyncBatchOptions.builder(2, Duration.ofMillis(1)).build());
    }

    private static DataStream<Long> rows() {
        return Jobs.numbers(1, 4);
    }

    private static class NeverAnswers implements AsyncBatchFunction<Long, Long> {

        @Override
        public void asyncInvokeBatch(List<Long> rows, ResultFuture<Long> future) {}
    }
}
