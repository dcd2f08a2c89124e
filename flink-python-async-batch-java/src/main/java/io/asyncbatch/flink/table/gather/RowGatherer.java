package io.asyncbatch.flink.table.gather;

import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchInvokerFactory;
import io.asyncbatch.flink.invoker.TaskInvokerContext;
import io.asyncbatch.flink.operator.BatchSettings;
import io.asyncbatch.flink.operator.buffer.RowWeigher;
import io.asyncbatch.flink.operator.trace.TraceSampling;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.util.ExceptionUtils;
import org.apache.flink.util.function.ThrowingRunnable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gathers the rows of one subtask into batches, in a thread of its own: the thread opens, calls and
 * closes the invoker, and closes batches whose time has come. Opened, called and closed by the
 * task's thread, which waits for nothing but the opening and the closing.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class RowGatherer<IN, OUT> implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(RowGatherer.class);

    private final TaskInvokerContext context;
    private final BatchInvoker<IN, OUT> invoker;
    private final GathererThread thread;
    private final Gatherer<IN, OUT> gatherer;
    private boolean closed;

    /**
     * @param model for the name of the thread
     * @param functionContext of the function that the rows come from
     */
    public RowGatherer(
            String model,
            BatchSettings settings,
            BatchInvokerFactory<IN, OUT> invokerFactory,
            RowWeigher<IN> weigher,
            FunctionContext functionContext) {
        this.context = TaskContext.of(functionContext);
        this.invoker = invokerFactory.createInvoker();
        this.thread =
                new GathererThread(
                        "batches of "
                                + model
                                + " "
                                + context.runtimeContext().getTaskInfo().getTaskNameWithSubtasks(),
                        context.runtimeContext().getUserCodeClassLoader(),
                        this::fail);
        this.gatherer =
                new Gatherer<>(
                        settings,
                        invoker,
                        weigher,
                        thread,
                        thread,
                        context.runtimeContext().getMetricGroup(),
                        TraceSampling.of(
                                context.taskEnvironment().getJobConfiguration(),
                                context.taskEnvironment().getTaskManagerInfo().getConfiguration()));
    }

    /**
     * Starts what computes the batches and waits until it is ready.
     *
     * @throws Exception if it cannot be started; {@link #close} must still be called
     */
    public void open() throws Exception {
        CompletableFuture<Void> opened = inThread(() -> invoker.open(context));
        try {
            opened.get();
        } catch (ExecutionException e) {
            ExceptionUtils.rethrowException(e.getCause());
        } catch (InterruptedException cancelled) {
            thread.interrupt();
            throw cancelled;
        }
    }

    /**
     * Takes a row. Never waits.
     *
     * @param row which nobody changes any more
     * @return the row's result, completed in the gatherer's thread; the failure of any batch fails
     *     it too
     */
    public CompletableFuture<OUT> submit(IN row) {
        CompletableFuture<OUT> result = new CompletableFuture<>();
        try {
            thread.execute(() -> gatherer.add(row, result), "row");
        } catch (RejectedExecutionException closedAlready) {
            result.completeExceptionally(closedAlready);
        }
        return result;
    }

    private void fail(@Nullable Throwable failure) {
        gatherer.fail(failure);
    }

    private CompletableFuture<Void> inThread(ThrowingRunnable<? extends Exception> work) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        thread.execute(
                () -> {
                    try {
                        work.run();
                        done.complete(null);
                    } catch (Throwable failure) {
                        done.completeExceptionally(failure);
                    }
                },
                "call of the task");
        return done;
    }

    /**
     * Ends everything that {@link #open} started and waits for it. What has no result yet fails. A
     * failure to close is logged only: when a task that has failed throws once more, Flink ends the
     * whole TaskManager. Idempotent, and safe after a failed or interrupted {@link #open}.
     */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        context.ignoreFailures();
        CompletableFuture<Void> ended =
                inThread(
                        () -> {
                            gatherer.fail(new CancellationException("the task has ended"));
                            invoker.close();
                        });
        thread.shutdown();
        try {
            ended.join();
        } catch (RuntimeException failure) {
            LOG.warn("What computes the batches did not close in order", failure);
        }
    }
}
