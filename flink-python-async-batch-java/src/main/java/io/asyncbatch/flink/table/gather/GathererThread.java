package io.asyncbatch.flink.table.gather;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.util.clock.Clock;
import org.apache.flink.util.clock.SystemClock;
import org.apache.flink.util.function.ThrowingRunnable;

/**
 * The one thread of a {@link Gatherer}, in the place of a task's mailbox and its timers, which a
 * function of the planner has no access to. Any thread may hand it work.
 *
 * <p>Its time only counts on: it is that of the monotonic clock, so that nothing depends on the
 * time of day.
 */
final class GathererThread implements MailboxExecutor, ProcessingTimeService {

    private final ScheduledThreadPoolExecutor executor;
    private final Consumer<Throwable> onFailure;
    private volatile Thread thread;

    /**
     * @param onFailure told, in this thread, what work and timers throw
     */
    GathererThread(String name, ClassLoader contextClassLoader, Consumer<Throwable> onFailure) {
        this.onFailure = onFailure;
        this.executor =
                new ScheduledThreadPoolExecutor(
                        1,
                        work -> {
                            Thread created = new Thread(work, name);
                            created.setDaemon(true);
                            created.setContextClassLoader(contextClassLoader);
                            thread = created;
                            return created;
                        });
        executor.setRemoveOnCancelPolicy(true);
        executor.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
    }

    @Override
    public void execute(
            MailOptions options,
            ThrowingRunnable<? extends Exception> work,
            String description,
            Object... arguments) {
        executor.execute(() -> run(work));
    }

    private void run(ThrowingRunnable<? extends Exception> work) {
        try {
            work.run();
        } catch (Throwable failure) {
            onFailure.accept(failure);
        }
    }

    /** Wakes the work up that runs now, if it waits. */
    void interrupt() {
        Thread running = thread;
        if (running != null) {
            running.interrupt();
        }
    }

    /** Takes no more work. What was taken is still done, timers are not. */
    void shutdown() {
        executor.shutdown();
    }

    @Override
    public ScheduledFuture<?> registerTimer(long timestamp, ProcessingTimeCallback callback) {
        return executor.schedule(
                () -> run(() -> callback.onProcessingTime(timestamp)),
                Math.max(0, timestamp - getCurrentProcessingTime()),
                TimeUnit.MILLISECONDS);
    }

    @Override
    public long getCurrentProcessingTime() {
        return getClock().relativeTimeMillis();
    }

    @Override
    public Clock getClock() {
        return SystemClock.getInstance();
    }

    // ------------------------------------------- what batches never ask for

    @Override
    public void yield() {
        throw new UnsupportedOperationException("nothing waits in this thread");
    }

    @Override
    public boolean tryYield() {
        throw new UnsupportedOperationException("nothing waits in this thread");
    }

    @Override
    public boolean shouldInterrupt() {
        return false;
    }

    @Override
    public ScheduledFuture<?> scheduleAtFixedRate(
            ProcessingTimeCallback callback, long initialDelay, long period) {
        throw new UnsupportedOperationException("batches have no periodic timers");
    }

    @Override
    public ScheduledFuture<?> scheduleWithFixedDelay(
            ProcessingTimeCallback callback, long initialDelay, long period) {
        throw new UnsupportedOperationException("batches have no periodic timers");
    }

    @Override
    public CompletableFuture<Void> quiesce() {
        throw new UnsupportedOperationException("the gatherer cancels its timers itself");
    }
}
