package io.asyncbatch.flink.batchapi.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How long a server wants to be left alone, and how long a caller waits by itself. */
class RetryAfterTest {

    private static final Instant NOW = Instant.parse("2026-01-02T03:04:05Z");

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "0 | 0",
                "7 | 7000",
                "1000000000 | 600000",
                "99999999999999999999999 | 600000",
                "-5 | 0",
                "1.5 | 0",
                "soon | 0",
                "'' | 0",
                "Fri, 2 Jan 2026 03:04:15 GMT | 10000",
                "Fri, 2 Jan 2026 03:04:00 GMT | 0",
                "Thu, 2 Jan 2031 03:04:00 GMT | 600000",
                "Fri, 99 Jan 2026 03:04:00 GMT | 0",
            })
    void reads(String header, long millis) {
        assertThat(RetryAfter.millis(Optional.of(header), Optional.empty(), NOW)).isEqualTo(millis);
    }

    @Test
    void datesAreThoseOfTheServersClock() {
        assertThat(
                        RetryAfter.millis(
                                Optional.of("Tue, 6 Jan 2026 00:00:09 GMT"),
                                Optional.of("Tue, 6 Jan 2026 00:00:00 GMT"),
                                NOW))
                .isEqualTo(9_000);
        assertThat(RetryAfter.millis(Optional.empty(), Optional.empty(), NOW)).isZero();
    }

    @Test
    void backoffGrowsWithTheAttemptUpToABound() {
        Backoff backoff = new Backoff(100, 1_000, new Random(1));
        long[] bounds = {100, 200, 400, 800, 1_000, 1_000};
        for (int repetition = 1; repetition <= bounds.length; repetition++) {
            long most = 0;
            for (int draw = 0; draw < 1_000; draw++) {
                long delay = backoff.beforeRepetition(repetition, 0);
                assertThat(delay).isBetween(1L, bounds[repetition - 1]);
                most = Math.max(most, delay);
            }
            assertThat(most).isGreaterThan(bounds[repetition - 1] * 9 / 10);
        }
        assertThat(backoff.beforeRepetition(1_000_000, 0)).isBetween(1L, 1_000L);
        assertThat(backoff.beforeRepetition(1, 60_000)).isEqualTo(60_000);
    }
}
