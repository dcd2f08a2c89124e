package io.asyncbatch.flink.worker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.EarlyRows;
import io.asyncbatch.flink.invoker.InvokerContext;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.apache.flink.core.testutils.ManuallyTriggeredScheduledExecutorService;
import org.apache.flink.runtime.execution.Environment;
import org.apache.flink.streaming.api.operators.StreamingRuntimeContext;
import org.junit.jupiter.api.Test;

class RestartingInvokerTest {

    private static final Exception KILLED = new IllegalStateException("killed");
    private static final EarlyRows<Long> NONE = (rows, results, failures) -> {};

    private final List<Worker> workers = new ArrayList<>();
    private final List<Throwable> failures = new ArrayList<>();
    private final ManuallyTriggeredScheduledExecutorService restarter =
            new ManuallyTriggeredScheduledExecutorService();
    private final WorkerRestarts restarts = new WorkerRestarts(3, 60_000, 100, 1_000);
    private int restarted;
    private int surroundingsClosed;
    private Exception failureOfOpen;
    private boolean diesWhenOpened;

    private final RestartingInvoker<Long, Long> invoker =
            new RestartingInvoker<>(
                    context -> () -> surroundingsClosed++,
                    Worker::new,
                    restarts,
                    new RestartHistory(restarts, () -> 0, () -> 1),
                    restarter,
                    () -> restarted++);

    /** A worker that dies when the test says so. */
    private final class Worker implements ReplaceableInvoker<Long, Long> {
        private final List<CompletableFuture<BatchOutcome<Long>>> calls = new ArrayList<>();
        private final List<String> kills = new ArrayList<>();
        private final List<Long> cancelled = new ArrayList<>();
        private final List<EarlyRows<Long>> early = new ArrayList<>();
        private InvokerContext context;
        private int closed;

        private Worker() {
            workers.add(this);
        }

        @Override
        public void open(InvokerContext invokerContext) throws Exception {
            context = invokerContext;
            if (failureOfOpen != null) {
                throw failureOfOpen;
            }
            if (diesWhenOpened) {
                diesWhenOpened = false;
                die();
            }
        }

        private void die() {
            context.failTask(KILLED);
            calls.forEach(call -> call.completeExceptionally(KILLED));
        }

        @Override
        public CompletionStage<BatchOutcome<Long>> invoke(
                BatchRequest<Long> request, EarlyRows<Long> earlyRows) {
            early.add(earlyRows);
            return timeout(request);
        }

        @Override
        public CompletionStage<BatchOutcome<Long>> timeout(BatchRequest<Long> request) {
            CompletableFuture<BatchOutcome<Long>> call = new CompletableFuture<>();
            calls.add(call);
            return call;
        }

        @Override
        public void cancel(long batchId, int attempt) {
            cancelled.add(batchId);
        }

        @Override
        public void kill(String why) {
            kills.add(why);
        }

        @Override
        public void close() {
            closed++;
        }
    }

    private RestartingInvoker<Long, Long> opened() throws Exception {
        invoker.open(
                new InvokerContext() {
                    @Override
                    public StreamingRuntimeContext runtimeContext() {
                        throw new UnsupportedOperationException();
                    }

                    @Override
                    public Environment taskEnvironment() {
                        throw new UnsupportedOperationException();
                    }

                    @Override
                    public void failTask(Throwable cause) {
                        failures.add(cause);
                    }
                });
        return invoker;
    }

    private CompletableFuture<BatchOutcome<Long>> invoke(long batch) {
        return invoker.invoke(new BatchRequest<>(batch, 1, List.of(batch)), NONE)
                .toCompletableFuture();
    }

    private CompletableFuture<BatchOutcome<Long>> timeOut(long batch) {
        return invoker.timeout(new BatchRequest<>(batch, 1, List.of(batch))).toCompletableFuture();
    }

    private static void assertLost(CompletableFuture<BatchOutcome<Long>> call, int batches) {
        assertThat(call.join()).isEqualTo(BatchOutcome.workerLost(KILLED, batches));
    }

    private boolean isReady() {
        return invoker.ready().toCompletableFuture().isDone();
    }

    private List<Long> delays() {
        return restarter.getActiveScheduledTasks().stream()
                .map(task -> task.getDelay(TimeUnit.MILLISECONDS))
                .toList();
    }

    /** What the restarter has to do now; what follows it waits. */
    private void runRestarter() {
        restarter.triggerNonPeriodicScheduledTask();
    }

    @Test
    void answersPassAndTheWorkerIsThere() throws Exception {
        opened();
        assertThat(isReady()).isTrue();
        CompletableFuture<BatchOutcome<Long>> call = invoke(1);
        workers.get(0).calls.get(0).complete(BatchOutcome.success(List.of(2L)));
        assertThat(call.join()).isEqualTo(BatchOutcome.success(List.of(2L)));
    }

    /** A call that is given up is under way no more, so that one beside it is alone. */
    @Test
    void whatIsCancelledIsNotLostWithItsWorker() throws Exception {
        opened();
        invoke(1);
        CompletableFuture<BatchOutcome<Long>> second = invoke(2);
        invoker.cancel(1, 1);
        invoker.cancel(1, 1);
        assertThat(workers.get(0).cancelled).containsExactly(1L);
        workers.get(0).die();
        assertLost(second, 1);
        invoker.cancel(2, 1);
        assertThat(workers.get(0).cancelled).as("nobody is asked any more").hasSize(1);
    }

    /** No answer follows then, but the batch is not under way any more. */
    @Test
    void aBatchWhoseRowsAllCameEarlyIsNotLostWithItsWorker() throws Exception {
        opened();
        invoker.invoke(new BatchRequest<>(1, 1, List.of(1L, 2L)), NONE);
        CompletableFuture<BatchOutcome<Long>> second = invoke(2);
        EarlyRows<Long> early = workers.get(0).early.get(0);
        early.accept(new int[] {1}, List.of(20L), List.of());
        early.accept(new int[] {0}, List.of(10L), List.of());
        workers.get(0).die();
        assertLost(second, 1);
    }

    @Test
    void whatWasUnderWayIsLostAndAnotherWorkerFollowsTheOneThatWasClosed() throws Exception {
        opened();
        CompletableFuture<BatchOutcome<Long>> answered = invoke(1);
        CompletableFuture<BatchOutcome<Long>> first = invoke(2);
        CompletableFuture<BatchOutcome<Long>> second = invoke(3);
        CompletableFuture<BatchOutcome<Long>> timingOut = timeOut(3);
        workers.get(0).calls.get(0).complete(BatchOutcome.success(List.of(2L)));
        workers.get(0).die();
        assertThat(answered.join()).isEqualTo(BatchOutcome.success(List.of(2L)));
        assertLost(first, 2);
        assertLost(second, 2);
        assertLost(timingOut, 2);
        assertThat(isReady()).isFalse();
        CompletionStage<Void> ready = invoker.ready();
        assertLost(invoke(4), 0);

        runRestarter();
        assertThat(workers.get(0).closed).isEqualTo(1);
        assertThat(workers).as("not before the delay").hasSize(1);
        assertThat(delays()).containsExactly(100L);
        runRestarter();
        assertThat(workers).hasSize(2);
        assertThat(ready.toCompletableFuture()).isCompleted();
        assertThat(restarted).isEqualTo(1);
        assertThat(failures).isEmpty();
        CompletableFuture<BatchOutcome<Long>> again = invoke(2);
        workers.get(1).calls.get(0).complete(BatchOutcome.success(List.of(4L)));
        assertThat(again.join()).isEqualTo(BatchOutcome.success(List.of(4L)));
    }

    @Test
    void aFunctionThatCannotBeOpenedFailsTheTaskAtFirstAndCountsAsADeathLater() throws Exception {
        failureOfOpen = new IllegalStateException("no model");
        assertThatThrownBy(this::opened).hasMessage("no model");
        failureOfOpen = null;
        invoker.close();
        assertThat(workers.get(0).closed).isEqualTo(1);
    }

    @Test
    void aRestartThatFailsIsTriedAgainLaterAndLater() throws Exception {
        opened();
        workers.get(0).die();
        runRestarter();
        failureOfOpen = new IllegalStateException("no memory");
        runRestarter();
        assertThat(workers.get(1).closed).isEqualTo(1);
        assertThat(isReady()).isFalse();
        assertThat(delays()).containsExactly(200L);
        failureOfOpen = null;
        runRestarter();
        assertThat(isReady()).isTrue();
    }

    @Test
    void aWorkerThatDiesAsItBecomesReadyIsFollowedByAnother() throws Exception {
        opened();
        workers.get(0).die();
        runRestarter();
        diesWhenOpened = true;
        runRestarter();
        assertThat(isReady()).isFalse();
        runRestarter();
        assertThat(workers.get(1).closed).isEqualTo(1);
        runRestarter();
        assertThat(isReady()).isTrue();
        assertThat(workers).hasSize(3);
    }

    @Test
    void tooManyDeathsFailTheTaskWithTheirHistory() throws Exception {
        opened();
        for (int death = 0; death < 3; death++) {
            invoke(death);
            workers.get(death).calls.get(0).complete(BatchOutcome.success(List.of(1L)));
            workers.get(death).die();
            runRestarter();
            assertThat(delays()).containsExactly(100L);
            runRestarter();
        }
        assertThat(failures).isEmpty();
        workers.get(3).die();
        runRestarter();
        assertThat(failures).singleElement().isInstanceOf(WorkerRestartsExhaustedException.class);
        assertThat(failures.get(0))
                .hasMessageStartingWith(
                        "A worker died more than 3 times within 60000 ms (worker_restart:"
                                + " max_restarts, window):\n- 0 ms ago: killed\n")
                .hasCause(KILLED);
        assertThat(delays()).isEmpty();
        assertThat(isReady()).isFalse();
    }

    @Test
    void aWorkerThatNoLongerAnswersIsKilled() throws Exception {
        opened();
        assertThat(invoker.replace("silent")).isTrue();
        assertThat(workers.get(0).kills).containsExactly("silent");
    }

    @Test
    void aBrokenInvokerIsNoDeath() throws Exception {
        opened();
        CompletableFuture<BatchOutcome<Long>> call = invoke(1);
        workers.get(0).calls.get(0).completeExceptionally(KILLED);
        assertThat(call).isCompletedExceptionally();
        assertThat(isReady()).isTrue();
    }

    @Test
    void closingEndsTheWorkerAndStartsNoOther() throws Exception {
        opened();
        workers.get(0).die();
        runRestarter();
        invoker.close();
        invoker.close();
        assertThat(workers.get(0).closed).isEqualTo(1);
        restarter.triggerNonPeriodicScheduledTasks();
        assertThat(workers).hasSize(1);
        assertThat(surroundingsClosed).isEqualTo(1);
    }
}
