package io.asyncbatch.flink;

import java.time.Duration;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.TimeUnit;

/** Which lengths of time options may have. Stateless. */
final class DurationOption {

    private static final Duration SHORTEST = Duration.ofMillis(1);

    /** A century: twice that in nanoseconds, after any time of day, is far from an overflow. */
    private static final Duration LONGEST = Duration.ofDays(36_500);

    private DurationOption() {}

    /**
     * @throws IllegalArgumentException if there is no such length of time
     */
    static Duration of(String option, long amount, TimeUnit unit) {
        try {
            return Duration.of(amount, unit.toChronoUnit());
        } catch (ArithmeticException overflow) {
            throw new IllegalArgumentException(
                    option
                            + (amount < 0
                                    ? " must be at least 1 ms, got "
                                    : " must be at most " + LONGEST.toDays() + " days, got ")
                            + amount
                            + " "
                            + unit.name().toLowerCase(Locale.ROOT),
                    overflow);
        }
    }

    /**
     * For what is counted in whole milliseconds.
     *
     * @throws IllegalArgumentException if it is shorter than one, or longer than 36,500 days
     */
    static Duration requireMillis(String option, Duration value) {
        Objects.requireNonNull(value, option);
        if (value.compareTo(SHORTEST) < 0) {
            throw new IllegalArgumentException(option + " must be at least 1 ms, got " + value);
        }
        return requireNotTooLong(option, value);
    }

    /**
     * @throws IllegalArgumentException if it is longer than 36,500 days
     */
    static Duration requireNotTooLong(String option, Duration value) {
        Objects.requireNonNull(value, option);
        if (value.compareTo(LONGEST) > 0) {
            throw new IllegalArgumentException(
                    option + " must be at most " + LONGEST.toDays() + " days, got " + value);
        }
        return value;
    }
}
