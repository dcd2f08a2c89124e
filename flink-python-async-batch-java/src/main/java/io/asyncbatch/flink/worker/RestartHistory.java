package io.asyncbatch.flink.worker;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.OptionalLong;
import java.util.function.DoubleSupplier;
import java.util.function.LongSupplier;

/**
 * The deaths of an operator's workers, and what follows the next one: how long to wait, or that it
 * was one too many. Used by one thread at a time.
 */
final class RestartHistory {

    private static final long NANOS_PER_MILLI = 1_000_000;

    /** Keeps the doubling far from an overflow. */
    private static final int MOST_DOUBLINGS = 40;

    private static final int LONGEST_CAUSE = 200;

    private record Death(long nanos, String cause) {}

    private final WorkerRestarts restarts;
    private final LongSupplier clock;
    private final DoubleSupplier random;

    private final Deque<Death> deaths = new ArrayDeque<>();
    private int inARow;

    /**
     * @param clock nanoseconds of a monotonic clock
     * @param random from 0 to 1, for the jitter
     */
    RestartHistory(WorkerRestarts restarts, LongSupplier clock, DoubleSupplier random) {
        this.restarts = restarts;
        this.clock = clock;
        this.random = random;
    }

    /**
     * Adds a death.
     *
     * @param hadAnswered whether the worker had answered a batch before it died
     * @return how many milliseconds to wait before the next one is started; empty if too many died
     */
    OptionalLong died(Throwable cause, boolean hadAnswered) {
        long now = clock.getAsLong();
        while (!deaths.isEmpty()
                && now - deaths.peek().nanos() >= restarts.windowMillis() * NANOS_PER_MILLI) {
            deaths.remove();
        }
        deaths.add(new Death(now, firstLine(cause)));
        inARow = hadAnswered ? 1 : inARow + 1;
        return deaths.size() > restarts.maxRestarts()
                ? OptionalLong.empty()
                : OptionalLong.of(backoffMillis());
    }

    /** Between half of the delay and all of it, so that workers do not all start at once. */
    private long backoffMillis() {
        double grown =
                restarts.initialBackoffMillis()
                        * (double) (1L << Math.min(inARow - 1, MOST_DOUBLINGS));
        double delay = Math.min(grown, restarts.maxBackoffMillis());
        return Math.max(1, Math.round(delay * (1 + random.getAsDouble()) / 2));
    }

    private static String firstLine(Throwable cause) {
        String text = String.valueOf(cause.getMessage());
        int end = text.indexOf('\n');
        String line = end < 0 ? text : text.substring(0, end);
        return line.substring(0, Math.min(line.length(), LONGEST_CAUSE));
    }

    /** The deaths that count, oldest first, as lines of an error message. */
    String describe() {
        long now = clock.getAsLong();
        StringBuilder lines = new StringBuilder();
        for (Death death : deaths) {
            lines.append("\n- ")
                    .append((now - death.nanos()) / NANOS_PER_MILLI)
                    .append(" ms ago: ")
                    .append(death.cause());
        }
        return lines.toString();
    }
}
