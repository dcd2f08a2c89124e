package io.asyncbatch.flink.simulation;

import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Delayed;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.util.clock.Clock;

/**
 * The timers of a simulated task. One that fires becomes a mail, and cancelling it after that has
 * no effect, as in a task of Flink's. Used by one thread.
 */
final class SimulatedTimers implements ProcessingTimeService {

    private final String owner;
    private final VirtualTime time;
    private final SimulatedMailbox mailbox;
    private final Set<Timer> active = new HashSet<>();

    SimulatedTimers(String owner, VirtualTime time, SimulatedMailbox mailbox) {
        this.owner = owner;
        this.time = time;
        this.mailbox = mailbox;
    }

    /** Timers that have neither fired nor been cancelled. */
    int active() {
        return active.size();
    }

    @Override
    public Clock getClock() {
        return time;
    }

    @Override
    public ScheduledFuture<?> registerTimer(long timestamp, ProcessingTimeCallback callback) {
        Timer timer = new Timer(timestamp, callback);
        active.add(timer);
        return timer;
    }

    @Override
    public ScheduledFuture<?> scheduleAtFixedRate(
            ProcessingTimeCallback callback, long initialDelay, long period) {
        throw new UnsupportedOperationException("the operator uses one-shot timers only");
    }

    @Override
    public ScheduledFuture<?> scheduleWithFixedDelay(
            ProcessingTimeCallback callback, long initialDelay, long period) {
        throw new UnsupportedOperationException("the operator uses one-shot timers only");
    }

    @Override
    public CompletableFuture<Void> quiesce() {
        return CompletableFuture.completedFuture(null);
    }

    private final class Timer extends CompletableFuture<Void> implements ScheduledFuture<Void> {
        private final long timestamp;
        private final ProcessingTimeCallback callback;
        private final VirtualTime.Event event;

        private Timer(long timestamp, ProcessingTimeCallback callback) {
            this.timestamp = timestamp;
            this.callback = callback;
            this.event = time.at(timestamp * 1_000, owner + ": a timer fires", this::fire);
        }

        private void fire() {
            active.remove(this);
            try {
                mailbox.execute(() -> callback.onProcessingTime(timestamp), "timer");
            } catch (RejectedExecutionException mailboxClosed) {
                throw new AssertionError(owner + ": a timer outlived its task");
            }
        }

        @Override
        public boolean cancel(boolean mayInterruptIfRunning) {
            event.cancel();
            return active.remove(this);
        }

        @Override
        public long getDelay(TimeUnit unit) {
            return unit.convert(timestamp - getCurrentProcessingTime(), TimeUnit.MILLISECONDS);
        }

        @Override
        public int compareTo(Delayed other) {
            return Long.compare(
                    getDelay(TimeUnit.MILLISECONDS), other.getDelay(TimeUnit.MILLISECONDS));
        }
    }
}
