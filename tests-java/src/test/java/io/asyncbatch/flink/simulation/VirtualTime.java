package io.asyncbatch.flink.simulation;

import java.util.PriorityQueue;
import org.apache.flink.util.clock.Clock;

/**
 * The time of a schedule, which moves from one thing that happens to the next, and what is still to
 * happen. Of two things at the same time a drawn one comes first. Used by one thread.
 */
final class VirtualTime extends Clock {

    /** No special date, but one after 1970. */
    private static final long START_MICROS = 1_000_000_000L;

    private static final int TIES = 1 << 10;

    /** Something that is to happen, unless it is cancelled. */
    final class Event implements Comparable<Event> {
        private final long atMicros;
        private final int tie;
        private final long order;
        private final String what;
        private final Runnable action;

        private Event(long atMicros, String what, Runnable action) {
            this.atMicros = atMicros;
            this.tie = choices.below(TIES);
            this.order = ++events;
            this.what = what;
            this.action = action;
        }

        void cancel() {
            queue.remove(this);
        }

        @Override
        public int compareTo(Event other) {
            int byTime = Long.compare(atMicros, other.atMicros);
            int byTie = byTime != 0 ? byTime : Integer.compare(tie, other.tie);
            return byTie != 0 ? byTie : Long.compare(order, other.order);
        }
    }

    private final Choices choices;
    private final Trace trace;
    private final PriorityQueue<Event> queue = new PriorityQueue<>();
    private long nowMicros = START_MICROS;
    private long events;

    VirtualTime(Choices choices, Trace trace) {
        this.choices = choices;
        this.trace = trace;
    }

    /** Has something happen at a time that is not yet over, or as soon as may be. */
    Event at(long micros, String what, Runnable action) {
        Event event = new Event(Math.max(micros, nowMicros), what, action);
        queue.add(event);
        return event;
    }

    Event in(long micros, String what, Runnable action) {
        return at(nowMicros + micros, what, action);
    }

    boolean hasNext() {
        return !queue.isEmpty();
    }

    /** Has the next thing happen, at its time. */
    void next() {
        Event event = queue.remove();
        nowMicros = event.atMicros;
        trace.say("%s", event.what);
        event.action.run();
    }

    long micros() {
        return nowMicros;
    }

    /** Since the schedule began. */
    long elapsedMicros() {
        return nowMicros - START_MICROS;
    }

    @Override
    public long absoluteTimeMillis() {
        return nowMicros / 1_000;
    }

    @Override
    public long relativeTimeMillis() {
        return nowMicros / 1_000;
    }

    @Override
    public long relativeTimeNanos() {
        return nowMicros * 1_000;
    }
}
