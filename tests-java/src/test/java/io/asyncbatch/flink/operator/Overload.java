package io.asyncbatch.flink.operator;

import io.asyncbatch.flink.BackendOverload;
import io.asyncbatch.flink.CircuitBreakerOptions;
import io.asyncbatch.flink.CircuitBreakerOptions.WhenOpen;
import io.asyncbatch.flink.RetryAfter;
import java.time.Duration;
import java.util.Optional;

/** Failures of a backend that has too much to do, and a circuit breaker that is quick to open. */
final class Overload {

    /** How long {@link #breaker} stays open. */
    static final long PAUSE = 500;

    private Overload() {}

    /** A backend that says that it is overloaded. */
    static final class Busy extends Exception implements BackendOverload {

        private static final long serialVersionUID = 1L;

        Busy() {
            super("busy");
        }
    }

    /** A backend that says when it has time again. */
    static final class BusyUntil extends Exception implements RetryAfter {

        private static final long serialVersionUID = 1L;

        private final transient Duration delay;

        BusyUntil(Duration delay) {
            super("busy");
            this.delay = delay;
        }

        @Override
        public Optional<Duration> retryAfter() {
            return Optional.of(delay);
        }
    }

    /** Opens after two failures of the last two calls, for always the same time; two probes. */
    static CircuitBreakerOptions breaker(WhenOpen whenOpen) {
        return CircuitBreakerOptions.builder()
                .window(2, Duration.ofSeconds(30), 2)
                .failureRate(1)
                .pause(Duration.ofMillis(PAUSE), Duration.ofMillis(PAUSE))
                .probes(2)
                .whenOpen(whenOpen)
                .build();
    }
}
