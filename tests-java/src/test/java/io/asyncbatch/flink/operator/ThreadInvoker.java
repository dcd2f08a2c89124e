package io.asyncbatch.flink.operator;

import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.EarlyRows;
import io.asyncbatch.flink.invoker.InvokerContext;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** Computes batches in threads of the task's own process, each after a random while. */
final class ThreadInvoker implements BatchInvoker<Long, Long> {

    private static final int SLOWEST_MICROS = 4_000;

    private final Random random = new Random(42);
    private ScheduledExecutorService threads;
    private InvokerContext context;

    @Override
    public void open(InvokerContext invokerContext) {
        context = invokerContext;
        threads = Executors.newScheduledThreadPool(3);
    }

    @Override
    public CompletionStage<BatchOutcome<Long>> invoke(
            BatchRequest<Long> request, EarlyRows<Long> early) {
        CompletableFuture<BatchOutcome<Long>> stage = new CompletableFuture<>();
        threads.schedule(
                () -> stage.complete(compute(request)),
                random.nextInt(SLOWEST_MICROS),
                TimeUnit.MICROSECONDS);
        return stage;
    }

    private BatchOutcome<Long> compute(BatchRequest<Long> request) {
        if (Faults.isDue(Faults.Kind.BATCH)) {
            return BatchOutcome.failure(new Faults.InducedFailure("of a batch"));
        }
        if (Faults.isDue(Faults.Kind.WORKER)) {
            context.failTask(new Faults.InducedFailure("of the worker"));
        }
        return BatchOutcome.success(request.inputs().stream().map(row -> row * 2).toList());
    }

    @Override
    public CompletionStage<BatchOutcome<Long>> timeout(BatchRequest<Long> request) {
        return CompletableFuture.completedFuture(
                BatchOutcome.failure(new IllegalStateException("nothing is this slow")));
    }

    @Override
    public void close() {
        if (threads != null) {
            threads.shutdownNow();
        }
    }
}
