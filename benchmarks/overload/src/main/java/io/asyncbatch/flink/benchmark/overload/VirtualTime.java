package io.asyncbatch.flink.benchmark.overload;

import java.util.Comparator;
import java.util.PriorityQueue;

/** A clock that jumps from one event to the next. */
final class VirtualTime {

    static final double NANOS_PER_SECOND = 1e9;

    private final PriorityQueue<Event> events =
            new PriorityQueue<>(
                    Comparator.comparingLong(Event::atNanos).thenComparingLong(Event::order));
    private long nowNanos;
    private long order;

    private record Event(long atNanos, long order, Runnable action) {}

    long nanos() {
        return nowNanos;
    }

    double seconds() {
        return nowNanos / NANOS_PER_SECOND;
    }

    static long nanosOf(double seconds) {
        return (long) (seconds * NANOS_PER_SECOND);
    }

    /** Events of the same moment happen in the order in which they were asked for. */
    void after(long nanos, Runnable action) {
        events.add(new Event(nowNanos + Math.max(0, nanos), order++, action));
    }

    void at(double seconds, Runnable action) {
        after(nanosOf(seconds) - nowNanos, action);
    }

    void runUntil(double seconds) {
        long end = nanosOf(seconds);
        while (!events.isEmpty() && events.peek().atNanos() <= end) {
            Event next = events.poll();
            nowNanos = next.atNanos();
            next.action().run();
        }
        nowNanos = end;
    }
}
