package io.asyncbatch.flink.operator;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Delayed;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.util.clock.Clock;
import org.apache.flink.util.clock.ManualClock;

/**
 * Timers of a manual clock that behave as a task's do: a timer that fires becomes a mail, and
 * cancelling it after that has no effect. Used by the test's thread.
 */
public final class ManualTimers implements ProcessingTimeService {

    private final ManualClock clock = new ManualClock();
    private final List<Timer> timers = new ArrayList<>();
    private MailboxExecutor mailbox;

    public void setMailbox(MailboxExecutor newMailbox) {
        mailbox = newMailbox;
    }

    /** Moves the clock; due timers become mails, in the order of their times. */
    public void advance(long millis) {
        clock.advanceTime(millis, TimeUnit.MILLISECONDS);
        List<Timer> due = new ArrayList<>(timers);
        due.removeIf(timer -> timer.timestamp > getCurrentProcessingTime());
        timers.removeAll(due);
        due.sort(Comparator.comparingLong(timer -> timer.timestamp));
        for (Timer timer : due) {
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
        Timer timer = new Timer(timestamp, callback);
        timers.add(timer);
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

        private Timer(long timestamp, ProcessingTimeCallback callback) {
            this.timestamp = timestamp;
            this.callback = callback;
        }

        @Override
        public boolean cancel(boolean mayInterruptIfRunning) {
            return timers.remove(this);
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
