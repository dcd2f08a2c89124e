package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.EarlyRows;
import io.asyncbatch.flink.invoker.InvokerContext;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import javax.annotation.Nullable;
import org.apache.flink.util.TemporaryClassLoaderContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs batches in one worker after another: when one dies, the next is started, and what was under
 * way is reported as lost. The mailbox thread uses it and never waits for a start but the first;
 * any thread may see a worker die, and a thread of its own ends it and starts the next.
 *
 * <p>A worker is started when the one before it has been closed: there are never two models, and
 * GPUs that the one had are free for the other.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
final class RestartingInvoker<IN, OUT> implements BatchInvoker<IN, OUT> {

    private static final Logger LOG = LoggerFactory.getLogger(RestartingInvoker.class);

    /** What all workers of an operator need, from before the first one until after the last. */
    @FunctionalInterface
    interface Surroundings {
        AutoCloseable open(InvokerContext context) throws Exception;
    }

    /** A start that is interrupted, and a worker that is being closed, end well within it. */
    private static final long RESTART_END_MILLIS = 30_000;

    private final Surroundings surroundings;
    private final Supplier<ReplaceableInvoker<IN, OUT>> workers;
    private final WorkerRestarts restarts;
    private final RestartHistory history;
    private final ScheduledExecutorService restarter;
    private final Runnable whenRestarted;

    private InvokerContext context;
    private ClassLoader userClassLoader;
    @Nullable private AutoCloseable openedSurroundings;

    // Guarded by this, but for reading.
    private volatile WorkerLife<IN, OUT> current;
    private CompletableFuture<Void> ready = CompletableFuture.completedFuture(null);
    private boolean closed;

    /** The one that is being started, or was started last. Of the thread that starts it. */
    @Nullable private volatile WorkerLife<IN, OUT> latest;

    /**
     * @param surroundings opened and closed by the mailbox thread
     * @param workers makes an invoker with a worker of its own; called by the mailbox thread, then
     *     by the restarter's
     * @param restarter of one thread, for this alone
     * @param whenRestarted called by its thread for each worker but the first that became ready
     */
    RestartingInvoker(
            Surroundings surroundings,
            Supplier<ReplaceableInvoker<IN, OUT>> workers,
            WorkerRestarts restarts,
            RestartHistory history,
            ScheduledExecutorService restarter,
            Runnable whenRestarted) {
        this.surroundings = surroundings;
        this.workers = workers;
        this.restarts = restarts;
        this.history = history;
        this.restarter = restarter;
        this.whenRestarted = whenRestarted;
    }

    /** A function that cannot even be opened once is no matter of a worker's death. */
    @Override
    public void open(InvokerContext invokerContext) throws Exception {
        context = invokerContext;
        userClassLoader = Thread.currentThread().getContextClassLoader();
        openedSurroundings = surroundings.open(context);
        WorkerLife<IN, OUT> first = new WorkerLife<>(workers.get(), context, this::onDeath);
        current = first;
        latest = first;
        first.invoker().open(first);
    }

    @Override
    public CompletionStage<BatchOutcome<OUT>> invoke(
            BatchRequest<IN> request, EarlyRows<OUT> early) {
        WorkerLife<IN, OUT> worker = current;
        EarlyRows<OUT> counted = worker.counting(request, early);
        return worker.call(request.batchId(), () -> worker.invoker().invoke(request, counted));
    }

    @Override
    public CompletionStage<BatchOutcome<OUT>> timeout(BatchRequest<IN> request) {
        WorkerLife<IN, OUT> worker = current;
        return worker.call(request.batchId(), () -> worker.invoker().timeout(request));
    }

    @Override
    public void cancel(long batchId, int attempt) {
        WorkerLife<IN, OUT> worker = current;
        if (worker.giveUp(batchId)) {
            worker.invoker().cancel(batchId, attempt);
        }
    }

    @Override
    public synchronized CompletionStage<Void> ready() {
        return ready;
    }

    @Override
    public boolean replace(String why) {
        current.invoker().kill(why);
        return true;
    }

    // ------------------------------------------------------------------------------------------
    // Deaths and starts
    // ------------------------------------------------------------------------------------------

    /** Called by any thread, before what was under way is reported as lost. */
    private void onDeath(WorkerLife<IN, OUT> worker, Throwable cause) {
        synchronized (this) {
            if (!worker.die(cause) || closed) {
                return;
            }
            if (ready.isDone()) {
                ready = new CompletableFuture<>();
            }
        }
        onRestarter(() -> bury(worker, cause), 0);
    }

    private void onRestarter(Runnable step, long delayMillis) {
        try {
            restarter.schedule(() -> run(step), delayMillis, TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            LOG.debug("No worker is started any more: the task ended");
        }
    }

    /** What is not foreseen must not end in the executor, where nobody would see it. */
    private void run(Runnable step) {
        synchronized (this) {
            if (closed) {
                return;
            }
        }
        try (TemporaryClassLoaderContext ignored =
                TemporaryClassLoaderContext.of(userClassLoader)) {
            step.run();
        } catch (Throwable t) {
            context.failTask(t);
        }
    }

    private void bury(WorkerLife<IN, OUT> worker, Throwable cause) {
        // It may only have left its channel, or said that it cannot go on.
        worker.invoker().kill("it is of no use any more");
        clearUp(worker);
        startAnother(cause, worker.hasAnswered());
    }

    private static void clearUp(WorkerLife<?, ?> worker) {
        try {
            worker.close();
        } catch (Exception e) {
            LOG.warn("What a dead worker left behind could not be cleared up", e);
        }
    }

    private void startAnother(Throwable cause, boolean hadAnswered) {
        OptionalLong delay = history.died(cause, hadAnswered);
        if (delay.isEmpty()) {
            context.failTask(new WorkerRestartsExhaustedException(restarts, history, cause));
            return;
        }
        LOG.warn("A worker is started again in {} ms", delay.getAsLong(), cause);
        onRestarter(this::start, delay.getAsLong());
    }

    private void start() {
        WorkerLife<IN, OUT> next = new WorkerLife<>(workers.get(), context, this::onDeath);
        latest = next;
        try {
            next.invoker().open(next);
        } catch (InterruptedException e) {
            // The task ended.
            Thread.currentThread().interrupt();
            return;
        } catch (Exception e) {
            // In this order: its death may have been seen too, and counts once.
            boolean unseen = next.die(e);
            clearUp(next);
            if (unseen) {
                startAnother(e, false);
            }
            return;
        }
        synchronized (this) {
            if (next.isDead()) {
                // It is being buried next, by this thread.
                return;
            }
            current = next;
            whenRestarted.run();
            // In here, so that it is not told of a worker whose death was seen meanwhile.
            ready.complete(null);
        }
    }

    /** Ends a start that is under way, and then the worker. Idempotent. */
    @Override
    public void close() throws Exception {
        synchronized (this) {
            closed = true;
        }
        // In this order: what the restarter has started is known when it has ended.
        ThoroughClose.closeAll(this::endRestarter, this::closeLatest, this::closeSurroundings);
    }

    private void closeLatest() throws Exception {
        if (latest != null) {
            latest.close();
        }
    }

    private void closeSurroundings() throws Exception {
        AutoCloseable closing = openedSurroundings;
        openedSurroundings = null;
        if (closing != null) {
            closing.close();
        }
    }

    private void endRestarter() throws InterruptedException {
        restarter.shutdownNow();
        if (!restarter.awaitTermination(RESTART_END_MILLIS, TimeUnit.MILLISECONDS)) {
            LOG.warn("A start of a worker did not end within {} ms", RESTART_END_MILLIS);
        }
    }
}
