package io.asyncbatch.flink.limit;

import java.io.Serializable;
import java.time.Duration;
import org.apache.flink.annotation.Internal;

/**
 * When a {@link CircuitBreaker} opens, and for how long. Immutable.
 *
 * @param windowCalls the last so many calls are judged, at least 1
 * @param windowTime and of these only those that ended in so long a time
 * @param leastCalls nothing is judged before so many calls, from 1 to {@code windowCalls}
 * @param failureRate opens when this share of them failed, above 0 up to 1
 * @param slowCall a call that takes longer is slow; {@link #NO_CALL_IS_SLOW} for none
 * @param slowCallRate opens when this share of them was slow, above 0 up to 1
 * @param firstPause how long it stays open the first time; doubles with each time that probes fail
 * @param longestPause up to this
 * @param probes successes in a row that close it again, at least 1
 */
@Internal
public record BreakerSettings(
        int windowCalls,
        Duration windowTime,
        int leastCalls,
        double failureRate,
        Duration slowCall,
        double slowCallRate,
        Duration firstPause,
        Duration longestPause,
        int probes)
        implements Serializable {

    public static final Duration NO_CALL_IS_SLOW = Duration.ofNanos(Long.MAX_VALUE);

    /** Half of the last 32 calls within 30 s failed; tries again after 0.5 s up to 1.5 s. */
    public static final BreakerSettings DEFAULT =
            new BreakerSettings(
                    32,
                    Duration.ofSeconds(30),
                    10,
                    0.5,
                    NO_CALL_IS_SLOW,
                    1,
                    Duration.ofMillis(500),
                    Duration.ofMillis(1_500),
                    3);

    public BreakerSettings {
        requireAtLeastOne("window of the circuit breaker", windowCalls);
        requirePositive("time of the circuit breaker's window", windowTime);
        if (leastCalls < 1 || leastCalls > windowCalls) {
            throw new IllegalArgumentException(
                    "least calls of the circuit breaker must be between 1 and its window of "
                            + windowCalls
                            + ", got "
                            + leastCalls);
        }
        requireRate("failure rate", failureRate);
        requirePositive("slow call of the circuit breaker", slowCall);
        requireRate("slow call rate", slowCallRate);
        requirePositive("first pause of the circuit breaker", firstPause);
        if (longestPause.compareTo(firstPause) < 0) {
            throw new IllegalArgumentException(
                    "longest pause of the circuit breaker must be at least the first one, "
                            + firstPause
                            + ", got "
                            + longestPause);
        }
        requireAtLeastOne("probes of the circuit breaker", probes);
    }

    private static void requireAtLeastOne(String what, int value) {
        if (value < 1) {
            throw new IllegalArgumentException(what + " must be positive, got " + value);
        }
    }

    private static void requirePositive(String what, Duration value) {
        if (value.isNegative() || value.isZero()) {
            throw new IllegalArgumentException(what + " must be positive, got " + value);
        }
    }

    private static void requireRate(String what, double value) {
        if (!(value > 0 && value <= 1)) {
            throw new IllegalArgumentException(
                    what + " of the circuit breaker must be above 0 and at most 1, got " + value);
        }
    }
}
