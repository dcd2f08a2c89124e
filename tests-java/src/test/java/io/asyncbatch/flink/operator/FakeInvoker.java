package io.asyncbatch.flink.operator;

import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.EarlyRows;
import io.asyncbatch.flink.invoker.InvokerContext;
import io.asyncbatch.flink.invoker.RowFailure;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import java.util.stream.Stream;

/** An invoker whose calls end when, and how, the test says. Used by the test's thread. */
final class FakeInvoker<IN, OUT> implements BatchInvoker<IN, OUT> {

    /** One call of {@code invoke} or {@code timeout}. */
    final class Call {
        final BatchRequest<IN> request;

        /** Its place among all calls of this invoker, of either kind. */
        final int order = invocations.size() + timeouts.size();

        private final CompletableFuture<BatchOutcome<OUT>> stage = new CompletableFuture<>();

        private final EarlyRows<OUT> early;

        Call(BatchRequest<IN> request, EarlyRows<OUT> early) {
            this.request = request;
            this.early = early;
        }

        List<IN> inputs() {
            return request.inputs();
        }

        boolean isOpen() {
            return !stage.isDone();
        }

        boolean hasResults() {
            return stage.isDone()
                    && stage.join() instanceof BatchOutcome.Success<OUT> success
                    && success.results().size() == request.inputs().size();
        }

        void succeed() {
            succeed(results());
        }

        List<OUT> results() {
            return request.inputs().stream().map(compute).toList();
        }

        void succeed(List<OUT> results) {
            stage.complete(BatchOutcome.success(results));
        }

        /** Gives the results of some inputs before the call ends. */
        void yieldRows(int... rows) {
            List<OUT> results = new ArrayList<>();
            for (int row : rows) {
                results.add(row < inputs().size() ? compute.apply(inputs().get(row)) : null);
            }
            early.accept(rows, results, List.of());
        }

        /** Says of an input before the call ends that it has no result. */
        void failRowEarly(Throwable cause, int row) {
            List<OUT> none = new ArrayList<>();
            none.add(null);
            early.accept(new int[] {row}, none, List.of(new RowFailure(row, cause)));
        }

        /** Succeeds for all rows but those, which have no result. */
        void failRows(Throwable cause, int... rows) {
            List<RowFailure> failures = new ArrayList<>();
            for (int row : rows) {
                failures.add(new RowFailure(row, cause));
            }
            stage.complete(BatchOutcome.success(results(), failures));
        }

        void fail(Throwable cause) {
            stage.complete(BatchOutcome.failure(cause));
        }

        void retry(long delayMillis) {
            stage.complete(BatchOutcome.retry(new IllegalStateException("again"), delayMillis));
        }

        void report(BatchOutcome<OUT> outcome) {
            stage.complete(outcome);
        }

        /** The worker died while it had so many batches, or never got this one if it had none. */
        void lose(int batches) {
            stage.complete(BatchOutcome.workerLost(new IllegalStateException("killed"), batches));
        }

        void breakInvoker(Throwable cause) {
            stage.completeExceptionally(cause);
        }
    }

    final List<Call> invocations = new ArrayList<>();
    final List<Call> timeouts = new ArrayList<>();

    /** Ids of invocations that nobody waits for any more. */
    final List<Long> cancelled = new ArrayList<>();

    final Function<IN, OUT> compute;
    InvokerContext context;
    Exception failureOfOpen;
    Exception failureOfClose;
    RuntimeException failureOfCalls;
    boolean answersAtOnce;
    boolean isReplaceable;
    final List<String> replacements = new ArrayList<>();
    CompletableFuture<Void> ready = CompletableFuture.completedFuture(null);
    int opened;
    int closed;

    FakeInvoker(Function<IN, OUT> compute) {
        this.compute = compute;
    }

    @Override
    public void open(InvokerContext invokerContext) throws Exception {
        opened++;
        context = invokerContext;
        if (failureOfOpen != null) {
            throw failureOfOpen;
        }
    }

    @Override
    public CompletionStage<BatchOutcome<OUT>> invoke(
            BatchRequest<IN> request, EarlyRows<OUT> early) {
        Call call = new Call(request, early);
        invocations.add(call);
        failIfToldTo();
        if (answersAtOnce) {
            call.succeed();
        }
        return call.stage;
    }

    @Override
    public CompletionStage<BatchOutcome<OUT>> timeout(BatchRequest<IN> request) {
        Call call =
                new Call(
                        request,
                        (rows, results, failures) -> {
                            throw new AssertionError("a timeout handler has no early rows");
                        });
        timeouts.add(call);
        failIfToldTo();
        return call.stage;
    }

    /** Calls for which nobody has gone to the timeout handler, and that have not ended. */
    List<Call> underWay() {
        return invocations.stream().filter(Call::isOpen).filter(call -> !isGivenUp(call)).toList();
    }

    private boolean isGivenUp(Call call) {
        return cancelled.contains(call.request.batchId()) || isTimedOut(call);
    }

    /** Of rows that were given early the timeout handler is not asked. */
    private boolean isTimedOut(Call call) {
        return timeouts.stream()
                .filter(later -> later.order > call.order)
                .anyMatch(
                        later ->
                                later.request.batchId() == call.request.batchId()
                                        || later.inputs().containsAll(call.inputs()));
    }

    @Override
    public void cancel(long batchId, int attempt) {
        cancelled.add(batchId);
    }

    @Override
    public CompletionStage<Void> ready() {
        return ready;
    }

    @Override
    public boolean replace(String why) {
        if (isReplaceable) {
            replacements.add(why);
        }
        return isReplaceable;
    }

    /** The worker dies: all calls that are open are lost, and there is none until it is ready. */
    void killWorker() {
        ready = new CompletableFuture<>();
        List<Call> lost =
                Stream.concat(invocations.stream(), timeouts.stream())
                        .filter(Call::isOpen)
                        .toList();
        int batches = (int) lost.stream().map(call -> call.request.batchId()).distinct().count();
        lost.forEach(call -> call.lose(batches));
    }

    private void failIfToldTo() {
        if (failureOfCalls != null) {
            throw failureOfCalls;
        }
    }

    @Override
    public void close() throws Exception {
        closed++;
        if (failureOfClose != null) {
            throw failureOfClose;
        }
    }

    List<Integer> batchSizes() {
        return invocations.stream().map(call -> call.inputs().size()).toList();
    }

    List<List<IN>> batches() {
        return invocations.stream().map(Call::inputs).toList();
    }
}
