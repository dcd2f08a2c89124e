package io.asyncbatch.flink.function;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.AsyncBatchFunction;
import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.EarlyRows;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeoutException;
import org.apache.flink.streaming.api.functions.async.CollectionSupplier;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a Java function may tell a {@link ResultFuture}, in any order and from any thread. */
@Timeout(60)
class FunctionInvokerTest {

    private static final EarlyRows<Integer> NO_EARLY_ROWS =
            (rows, results, failures) -> {
                throw new AssertionError("a Java function has no early rows");
            };

    private static final BatchRequest<Integer> REQUEST = new BatchRequest<>(1, 1, List.of(1, 2));

    private final IllegalStateException failure = new IllegalStateException("no");

    @Test
    void theResultsAreTheOutcome() {
        assertThat(invoke((inputs, future) -> future.complete(inputs)))
                .isCompletedWithValue(BatchOutcome.success(List.of(1, 2)));
    }

    @Test
    void theFunctionSeesTheInputsOfTheRequest() {
        List<List<Integer>> seen = new ArrayList<>();
        invoke((inputs, future) -> seen.add(inputs));
        assertThat(seen).singleElement().isSameAs(REQUEST.inputs());
    }

    @Test
    void resultsMayComeFromAnyThread() throws Exception {
        CompletableFuture<BatchOutcome<Integer>> outcome =
                invoke(
                        (inputs, future) ->
                                new Thread(() -> future.complete(List.of(3, 4))).start());
        assertThat(outcome.get()).isEqualTo(BatchOutcome.success(List.of(3, 4)));
    }

    @Test
    void theCollectionMayBeReusedOnceItIsHandedOver() {
        List<Integer> reused = new ArrayList<>(List.of(3, 4));
        CompletableFuture<BatchOutcome<Integer>> outcome =
                invoke((inputs, future) -> future.complete(reused));
        reused.clear();
        assertThat(outcome).isCompletedWithValue(BatchOutcome.success(List.of(3, 4)));
    }

    @Test
    void theFirstOutcomeCounts() {
        assertThat(
                        invoke(
                                (inputs, future) -> {
                                    future.complete(List.of(3, 4));
                                    future.complete(List.of(5, 6));
                                    future.completeExceptionally(failure);
                                    throw new IllegalStateException("afterwards");
                                }))
                .isCompletedWithValue(BatchOutcome.success(List.of(3, 4)));
        assertThat(
                        invoke(
                                (inputs, future) -> {
                                    future.completeExceptionally(failure);
                                    future.complete(List.of(3, 4));
                                }))
                .isCompletedWithValue(BatchOutcome.failure(failure));
    }

    @Test
    void whatTheFunctionThrowsIsTheOutcome() {
        assertThat(
                        invoke(
                                (inputs, future) -> {
                                    throw failure;
                                }))
                .isCompletedWithValue(BatchOutcome.failure(failure));
    }

    /** It means that the JVM is in trouble, which no retry mends. */
    @Test
    void anErrorIsNotTheBatchsOutcome() {
        assertThatThrownBy(
                        () ->
                                invoke(
                                        (inputs, future) -> {
                                            throw new OutOfMemoryError("for the test");
                                        }))
                .isInstanceOf(OutOfMemoryError.class);
    }

    @Test
    void aSupplierIsCalledByTheMailboxThreadAlone() throws Exception {
        int[] calls = {0};
        CompletableFuture<BatchOutcome<Integer>> outcome =
                invoke(
                        (inputs, future) ->
                                future.complete(
                                        () -> {
                                            calls[0]++;
                                            return List.of(3, 4);
                                        }));
        assertThat(calls[0]).isZero();
        assertThat(tell(outcome)).isEqualTo(BatchOutcome.success(List.of(3, 4)));
        assertThat(calls[0]).isOne();
    }

    @Test
    void nullIsRefusedByTheFunctionsName() throws Exception {
        List<CompletableFuture<BatchOutcome<Integer>>> outcomes =
                List.of(
                        invoke((inputs, future) -> future.complete((Collection<Integer>) null)),
                        invoke(
                                (inputs, future) ->
                                        future.complete((CollectionSupplier<Integer>) null)),
                        invoke((inputs, future) -> future.complete(() -> null)),
                        invoke((inputs, future) -> future.completeExceptionally(null)));
        List<String> what = List.of("result", "CollectionSupplier", "result", "exception");
        for (int i = 0; i < outcomes.size(); i++) {
            BatchOutcome<Integer> outcome = tell(outcomes.get(i));
            assertThat(outcome).isInstanceOf(BatchOutcome.Failure.class);
            BatchOutcome.Failure<Integer> told = (BatchOutcome.Failure<Integer>) outcome;
            assertThat(told.invalidResult()).isEqualTo(i < 3);
            assertThat(told.cause())
                    .hasMessageStartingWith(getClass().getName())
                    .hasMessageEndingWith(
                            "completed its batch with null: the "
                                    + what.get(i)
                                    + " cannot be null");
        }
    }

    @Test
    void aTimeoutFailsUnlessTheFunctionSuppliesResults() throws Exception {
        BatchInvoker<Integer, Integer> silent = invoker((inputs, future) -> {});
        BatchOutcome<Integer> outcome = silent.timeout(REQUEST).toCompletableFuture().get();
        assertThat(((BatchOutcome.Failure<Integer>) outcome).cause())
                .isInstanceOf(TimeoutException.class)
                .hasMessage("Async batch function call has timed out.");

        BatchInvoker<Integer, Integer> supplying = invoker(new Substituting());
        assertThat(supplying.timeout(REQUEST).toCompletableFuture())
                .isCompletedWithValue(BatchOutcome.success(List.of(-1, -2)));
    }

    private static final class Substituting implements AsyncBatchFunction<Integer, Integer> {

        private static final long serialVersionUID = 1L;

        @Override
        public void asyncInvokeBatch(List<Integer> inputs, ResultFuture<Integer> resultFuture) {}

        @Override
        public void timeoutBatch(List<Integer> inputs, ResultFuture<Integer> resultFuture) {
            resultFuture.complete(inputs.stream().map(input -> -input).toList());
        }
    }

    private static BatchInvoker<Integer, Integer> invoker(
            AsyncBatchFunction<Integer, Integer> function) {
        return new FunctionInvokerFactory<>(function, null).createInvoker();
    }

    private static CompletableFuture<BatchOutcome<Integer>> invoke(
            AsyncBatchFunction<Integer, Integer> function) {
        return invoker(function).invoke(REQUEST, NO_EARLY_ROWS).toCompletableFuture();
    }

    private static BatchOutcome<Integer> tell(CompletableFuture<BatchOutcome<Integer>> outcome)
            throws Exception {
        BatchOutcome<Integer> told = outcome.get();
        return told instanceof BatchOutcome.Deferred<Integer> deferred
                ? deferred.outcome().call()
                : told;
    }
}
