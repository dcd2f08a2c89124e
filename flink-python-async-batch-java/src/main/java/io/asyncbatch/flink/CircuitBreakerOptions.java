package io.asyncbatch.flink;

import io.asyncbatch.flink.limit.BreakerSettings;
import java.io.Serializable;
import java.time.Duration;
import java.util.Objects;
import org.apache.flink.annotation.Internal;
import org.apache.flink.annotation.PublicEvolving;

/**
 * When calls to a backend that fails stop, how its return is found out, and what becomes of rows
 * meanwhile. Immutable; made by a {@link #builder builder}.
 *
 * <p>Only what says that the backend is overloaded or away counts as a failure: a timeout, and an
 * exception that is a {@link BackendOverload} or has one among its causes.
 */
@PublicEvolving
public final class CircuitBreakerOptions implements Serializable {

    private static final long serialVersionUID = 1L;

    /** What becomes of batches that would be called for while calls have stopped. */
    @PublicEvolving
    public enum WhenOpen {
        /** They wait, and input is held back. */
        BACK_PRESSURE,

        /** They fail without a call, as {@link FailureKind#CIRCUIT_OPEN}. */
        FAIL_FAST,

        /** The job fails. */
        FAIL_JOB
    }

    private final BreakerSettings settings;
    private final WhenOpen whenOpen;

    private CircuitBreakerOptions(BreakerSettings settings, WhenOpen whenOpen) {
        this.settings = settings;
        this.whenOpen = whenOpen;
    }

    /**
     * Begins with the defaults: half of the last 32 calls within 30 s failed, of at least 10; tries
     * again after 0.5 s up to 1.5 s; 3 probes that succeed end it; batches wait.
     */
    public static Builder builder() {
        return new Builder();
    }

    /** What {@link #builder} begins with. */
    public static CircuitBreakerOptions defaults() {
        return builder().build();
    }

    /** When it opens, and for how long. */
    @Internal
    public BreakerSettings settings() {
        return settings;
    }

    public WhenOpen getWhenOpen() {
        return whenOpen;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof CircuitBreakerOptions that
                && settings.equals(that.settings)
                && whenOpen == that.whenOpen;
    }

    @Override
    public int hashCode() {
        return Objects.hash(settings, whenOpen);
    }

    /** Collects options. Not thread-safe. */
    public static final class Builder {

        private int windowCalls = BreakerSettings.DEFAULT.windowCalls();
        private Duration windowTime = BreakerSettings.DEFAULT.windowTime();
        private int leastCalls = BreakerSettings.DEFAULT.leastCalls();
        private double failureRate = BreakerSettings.DEFAULT.failureRate();
        private Duration slowCall = BreakerSettings.DEFAULT.slowCall();
        private double slowCallRate = BreakerSettings.DEFAULT.slowCallRate();
        private Duration firstPause = BreakerSettings.DEFAULT.firstPause();
        private Duration longestPause = BreakerSettings.DEFAULT.longestPause();
        private int probes = BreakerSettings.DEFAULT.probes();
        private WhenOpen whenOpen = WhenOpen.BACK_PRESSURE;

        private Builder() {}

        /**
         * Which calls are judged.
         *
         * @param calls the last so many, at least 1
         * @param time and of these only those that ended in so long a time
         * @param least nothing is judged before so many, from 1 to {@code calls}
         */
        public Builder window(int calls, Duration time, int least) {
            windowCalls = calls;
            windowTime =
                    DurationOption.requireNotTooLong("time of the circuit breaker's window", time);
            leastCalls = least;
            return this;
        }

        /** Opens when this share of the calls failed, above 0 up to 1. */
        public Builder failureRate(double share) {
            failureRate = share;
            return this;
        }

        /**
         * Opens when this share of the calls was slow too. By default no call is.
         *
         * @param share above 0 up to 1
         * @param slow a call that takes longer is slow
         */
        public Builder slowCallRate(double share, Duration slow) {
            slowCallRate = share;
            slowCall = DurationOption.requireNotTooLong("slow call of the circuit breaker", slow);
            return this;
        }

        /**
         * How long no call is made.
         *
         * @param first the first time; doubles with each time that probes fail
         * @param longest up to this, at least {@code first}
         */
        public Builder pause(Duration first, Duration longest) {
            firstPause =
                    DurationOption.requireNotTooLong("first pause of the circuit breaker", first);
            longestPause =
                    DurationOption.requireNotTooLong(
                            "longest pause of the circuit breaker", longest);
            return this;
        }

        /** Calls that have to succeed in a row after a pause, at least 1. */
        public Builder probes(int calls) {
            probes = calls;
            return this;
        }

        public Builder whenOpen(WhenOpen value) {
            whenOpen = Objects.requireNonNull(value, "whenOpen");
            return this;
        }

        /**
         * @throws IllegalArgumentException if a value is out of its range
         */
        public CircuitBreakerOptions build() {
            return new CircuitBreakerOptions(
                    new BreakerSettings(
                            windowCalls,
                            windowTime,
                            leastCalls,
                            failureRate,
                            slowCall,
                            slowCallRate,
                            firstPause,
                            longestPause,
                            probes),
                    whenOpen);
        }
    }
}
