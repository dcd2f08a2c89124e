package io.asyncbatch.flink.batchapi.client;

import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Optional;

/** Reads the Retry-After header. Stateless. */
final class RetryAfter {

    /** Whatever a server asks for: longer would be a failure that nobody notices. */
    static final Duration LONGEST = Duration.ofMinutes(10);

    private RetryAfter() {}

    /**
     * @param header seconds or an HTTP date
     * @param serverTime the Date header, since the server's clock may not be ours
     * @return milliseconds between 0 and {@link #LONGEST}; 0 for what cannot be read
     */
    static long millis(Optional<String> header, Optional<String> serverTime, Instant now) {
        if (header.isEmpty()) {
            return 0;
        }
        String value = header.get().trim();
        if (value.matches("[0-9]{1,18}")) {
            return bounded(Math.min(Long.parseLong(value), LONGEST.toSeconds()) * 1_000);
        }
        if (value.matches("[0-9]{19,}")) {
            return LONGEST.toMillis();
        }
        try {
            Instant reference = serverTime.flatMap(RetryAfter::date).orElse(now);
            return date(value)
                    .map(until -> bounded(Duration.between(reference, until).toMillis()))
                    .orElse(0L);
        } catch (ArithmeticException tooFar) {
            return LONGEST.toMillis();
        }
    }

    private static Optional<Instant> date(String value) {
        try {
            return Optional.of(
                    ZonedDateTime.parse(value, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant());
        } catch (DateTimeException notADate) {
            return Optional.empty();
        }
    }

    private static long bounded(long millis) {
        return Math.max(0, Math.min(millis, LONGEST.toMillis()));
    }
}
