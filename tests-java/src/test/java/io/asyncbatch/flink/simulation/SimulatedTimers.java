package io.asyncbatch.flink.simulation;

import io.asyncbatch.flink.operator.OneShotTimers;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledFuture;
import org.apache.flink.util.clock.Clock;

/**
 * The timers of a simulated task. One that fires becomes a mail, and cancelling it after that has
 * no effect, as in a task of Flink's. Used by one thread.
 */
final class SimulatedTimers extends OneShotTimers {

    private final String owner;
    private final VirtualTime time;
    private final SimulatedMailbox mailbox;
    private final Set<SimulatedTimer> active = new HashSet<>();

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
        SimulatedTimer timer = new SimulatedTimer(timestamp, callback);
        active.add(timer);
        return timer;
    }

    private final class SimulatedTimer extends Timer {
        private final VirtualTime.Event event;

        private SimulatedTimer(long timestamp, ProcessingTimeCallback callback) {
            super(timestamp, callback);
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
    }
}
