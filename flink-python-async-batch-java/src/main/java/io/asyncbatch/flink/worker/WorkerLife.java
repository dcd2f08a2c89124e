package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.EarlyRows;
import io.asyncbatch.flink.invoker.InvokerContext;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import java.util.function.Supplier;
import javax.annotation.Nullable;
import org.apache.flink.runtime.execution.Environment;
import org.apache.flink.streaming.api.operators.StreamingRuntimeContext;

/**
 * One worker of those that follow each other: what is under way in it, and how it died.
 * Thread-safe.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
final class WorkerLife<IN, OUT> implements InvokerContext, AutoCloseable {

    private final ReplaceableInvoker<IN, OUT> invoker;
    private final InvokerContext context;
    private final BiConsumer<WorkerLife<IN, OUT>, Throwable> whenDying;

    // Guarded by this.
    private final Set<Long> batches = new HashSet<>();
    @Nullable private Throwable death;
    private int batchesAtDeath;
    private boolean hasAnswered;
    private boolean closed;

    /**
     * @param whenDying told, by any thread, of the first reason why the worker is of no use any
     *     more, before anything that was under way in it is reported as lost; calls {@link #die}
     */
    WorkerLife(
            ReplaceableInvoker<IN, OUT> invoker,
            InvokerContext context,
            BiConsumer<WorkerLife<IN, OUT>, Throwable> whenDying) {
        this.invoker = invoker;
        this.context = context;
        this.whenDying = whenDying;
    }

    ReplaceableInvoker<IN, OUT> invoker() {
        return invoker;
    }

    /**
     * Has the worker compute a batch.
     *
     * @param call hands it to the worker
     */
    CompletionStage<BatchOutcome<OUT>> call(
            long batchId, Supplier<CompletionStage<BatchOutcome<OUT>>> call) {
        synchronized (this) {
            if (death != null) {
                return CompletableFuture.completedFuture(BatchOutcome.workerLost(death, 0));
            }
            batches.add(batchId);
        }
        CompletableFuture<BatchOutcome<OUT>> reported = new CompletableFuture<>();
        call.get()
                .whenComplete(
                        (outcome, failure) -> {
                            if (failure == null) {
                                answered(batchId);
                                reported.complete(outcome);
                            } else {
                                report(failure, reported);
                            }
                        });
        return reported;
    }

    /**
     * Nobody waits for a batch any more, whose stage may not complete.
     *
     * @return whether the worker still has it
     */
    synchronized boolean giveUp(long batchId) {
        return batches.remove(batchId);
    }

    /**
     * When all rows of a batch came early the worker has answered, and its stage never completes.
     */
    EarlyRows<OUT> counting(BatchRequest<IN> request, EarlyRows<OUT> early) {
        AtomicInteger left = new AtomicInteger(request.inputs().size());
        return (rows, results, failures) -> {
            early.accept(rows, results, failures);
            if (left.addAndGet(-rows.length) == 0) {
                answered(request.batchId());
            }
        };
    }

    private synchronized void answered(long batchId) {
        hasAnswered = true;
        if (death == null) {
            batches.remove(batchId);
        }
    }

    /** A batch that fails for the death of the worker is lost; else the worker is broken. */
    private void report(Throwable failure, CompletableFuture<BatchOutcome<OUT>> reported) {
        Throwable cause;
        int lost;
        synchronized (this) {
            cause = death;
            lost = batchesAtDeath;
        }
        if (cause == null) {
            reported.completeExceptionally(failure);
        } else {
            reported.complete(BatchOutcome.workerLost(cause, lost));
        }
    }

    /**
     * The worker is of no use any more.
     *
     * @return false if that was known
     */
    synchronized boolean die(Throwable cause) {
        if (death != null) {
            return false;
        }
        death = cause;
        batchesAtDeath = batches.size();
        batches.clear();
        return true;
    }

    synchronized boolean isDead() {
        return death != null;
    }

    /** Whether it has answered for a batch. */
    synchronized boolean hasAnswered() {
        return hasAnswered;
    }

    /** Closes the invoker, if nobody has. */
    @Override
    public void close() throws Exception {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        invoker.close();
    }

    // ------------------------------------------------------------------------------------------
    // What is lent to the worker's invoker
    // ------------------------------------------------------------------------------------------

    @Override
    public StreamingRuntimeContext runtimeContext() {
        return context.runtimeContext();
    }

    @Override
    public Environment taskEnvironment() {
        return context.taskEnvironment();
    }

    @Override
    public void failTask(Throwable cause) {
        whenDying.accept(this, cause);
    }
}
