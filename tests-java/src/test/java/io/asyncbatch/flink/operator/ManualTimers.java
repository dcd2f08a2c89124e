package io.asyncbatch.flink.operator;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.util.clock.Clock;
import org.apache.flink.util.clock.ManualClock;

/**
 * Timers of a manual clock that behave as a task's do: a timer that fires becomes a mail, and
 * cancelling it after that has no effect. Used by the test's thread.
 */
public final class ManualTimers extends OneShotTimers {

    private final ManualClock clock = new ManualClock();
    private final List<ManualTimer> timers = new ArrayList<>();
    private MailboxExecutor mailbox;

    public void setMailbox(MailboxExecutor newMailbox) {
        mailbox = newMailbox;
    }

    /** Moves the clock; due timers become mails, in the order of their times. */
    public void advance(long millis) {
        clock.advanceTime(millis, TimeUnit.MILLISECONDS);
        List<ManualTimer> due = new ArrayList<>(timers);
        due.removeIf(timer -> timer.timestamp > getCurrentProcessingTime());
        timers.removeAll(due);
        due.sort(Comparator.comparingLong(timer -> timer.timestamp));
        for (ManualTimer timer : due) {
            mailbox.execute(
                    () -> timer.callback.onProcessingTime(timer.timestamp),
                    "timer @ %d",
                    timer.timestamp);
        }
    }

    public int active() {
        return timers.size();
    }

    @Override
    public Clock getClock() {
        return clock;
    }

    @Override
    public ScheduledFuture<?> registerTimer(long timestamp, ProcessingTimeCallback callback) {
        ManualTimer timer = new ManualTimer(timestamp, callback);
        timers.add(timer);
        return timer;
    }

    private final class ManualTimer extends Timer {

        private ManualTimer(long timestamp, ProcessingTimeCallback callback) {
            super(timestamp, callback);
        }

        @Override
        public boolean cancel(boolean mayInterruptIfRunning) {
            return timers.remove(this);
        }
    }
}
