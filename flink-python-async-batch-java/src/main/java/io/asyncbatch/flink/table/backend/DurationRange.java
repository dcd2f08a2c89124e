package io.asyncbatch.flink.table.backend;

import java.time.Duration;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.table.api.ValidationException;

/** How long what an option of SQL names may take, from a millisecond. Stateless. */
@Internal
public final class DurationRange {

    private static final Duration SHORTEST = Duration.ofMillis(1);

    private DurationRange() {}

    /**
     * The value, if it is at most so many days.
     *
     * @throws ValidationException for another one, naming the option, its value and the range
     */
    public static Duration require(ConfigOption<Duration> option, Duration value, int mostDays) {
        if (value.compareTo(SHORTEST) < 0 || value.compareTo(Duration.ofDays(mostDays)) > 0) {
            throw new ValidationException(
                    "'%s' must be between 1 ms and %s, got %s"
                            .formatted(
                                    option.key(),
                                    mostDays == 1 ? "a day" : mostDays + " days",
                                    value));
        }
        return value;
    }
}
