package io.asyncbatch.flink;

import java.io.Serializable;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.streaming.api.TimeDomain;

/**
 * How batches are formed and how many are in flight. Immutable; made by a {@link #builder builder},
 * which refuses a value out of range by the option's name. Times have a resolution of milliseconds.
 */
@PublicEvolving
public final class AsyncBatchOptions implements Serializable {

    private static final long serialVersionUID = 1L;

    /** Batches that are invoked or await emission, unless said otherwise. */
    public static final int DEFAULT_CAPACITY = 100;

    /** Bytes of a batch, unless said otherwise. */
    public static final long DEFAULT_MAX_BATCH_BYTES = 32L * 1024 * 1024;

    /** Bytes of all batches in flight, unless said otherwise or one batch may have more. */
    public static final long DEFAULT_MAX_BYTES_IN_FLIGHT = 256L * 1024 * 1024;

    private final int batchSize;
    private final Duration timeout;
    private final Duration batchTimeout;
    private final TimeDomain batchTimeDomain;
    private final Duration latencyTarget;
    private final int capacity;
    private final Long maxBatchBytes;
    private final Long maxBytesInFlight;
    private final boolean drainAtCheckpoint;
    private final OnFailure onFailure;
    private final boolean isolate;
    private final Concurrency concurrency;
    private final String backend;
    private final CircuitBreakerOptions circuitBreaker;
    private final RetryBudgetOptions retryBudget;
    private final HedgingOptions hedging;

    private AsyncBatchOptions(Builder builder) {
        batchSize = builder.batchSize;
        timeout = builder.timeout;
        batchTimeout = builder.batchTimeout;
        batchTimeDomain = builder.batchTimeDomain;
        latencyTarget = builder.latencyTarget;
        capacity = builder.capacity;
        maxBatchBytes = builder.maxBatchBytes;
        maxBytesInFlight = builder.maxBytesInFlight;
        drainAtCheckpoint = builder.drainAtCheckpoint;
        onFailure = builder.onFailure;
        isolate = builder.isolate;
        concurrency = builder.concurrency;
        backend = builder.backend;
        circuitBreaker = builder.circuitBreaker;
        retryBudget = builder.retryBudget;
        hedging = builder.hedging;
    }

    /**
     * Begins with what has no default.
     *
     * @param batchSize most rows of a batch, at least 1
     * @param timeout deadline of a batch from its dispatch, over all attempts; at least 1 ms
     */
    public static Builder builder(int batchSize, Duration timeout) {
        return new Builder(batchSize, timeout);
    }

    public int getBatchSize() {
        return batchSize;
    }

    public Duration getTimeout() {
        return timeout;
    }

    public Optional<Duration> getBatchTimeout() {
        return Optional.ofNullable(batchTimeout);
    }

    public TimeDomain getBatchTimeDomain() {
        return batchTimeDomain;
    }

    public Optional<Duration> getLatencyTarget() {
        return Optional.ofNullable(latencyTarget);
    }

    public int getCapacity() {
        return capacity;
    }

    /** What was asked for; empty for {@link #DEFAULT_MAX_BATCH_BYTES}. */
    public OptionalLong getMaxBatchBytes() {
        return maxBatchBytes == null ? OptionalLong.empty() : OptionalLong.of(maxBatchBytes);
    }

    /**
     * What was asked for; empty for {@link #DEFAULT_MAX_BYTES_IN_FLIGHT}, or the most that one
     * batch may have if that is more.
     */
    public OptionalLong getMaxBytesInFlight() {
        return maxBytesInFlight == null ? OptionalLong.empty() : OptionalLong.of(maxBytesInFlight);
    }

    public boolean getDrainAtCheckpoint() {
        return drainAtCheckpoint;
    }

    public OnFailure getOnFailure() {
        return onFailure;
    }

    public boolean isIsolate() {
        return isolate;
    }

    public Optional<Concurrency> getConcurrency() {
        return Optional.ofNullable(concurrency);
    }

    public Optional<String> getBackend() {
        return Optional.ofNullable(backend);
    }

    public Optional<CircuitBreakerOptions> getCircuitBreaker() {
        return Optional.ofNullable(circuitBreaker);
    }

    public Optional<RetryBudgetOptions> getRetryBudget() {
        return Optional.ofNullable(retryBudget);
    }

    public Optional<HedgingOptions> getHedging() {
        return Optional.ofNullable(hedging);
    }

    /** Collects options. Not thread-safe. */
    public static final class Builder {

        private final int batchSize;
        private final Duration timeout;
        private Duration batchTimeout;
        private TimeDomain batchTimeDomain = TimeDomain.PROCESSING_TIME;
        private Duration latencyTarget;
        private int capacity = DEFAULT_CAPACITY;
        private Long maxBatchBytes;
        private Long maxBytesInFlight;
        private boolean drainAtCheckpoint;
        private OnFailure onFailure = OnFailure.FAIL;
        private boolean isolate;
        private Concurrency concurrency;
        private String backend;
        private CircuitBreakerOptions circuitBreaker;
        private RetryBudgetOptions retryBudget;
        private HedgingOptions hedging;

        private Builder(int batchSize, Duration timeout) {
            this.batchSize = (int) requirePositive("batchSize", batchSize);
            this.timeout = DurationOption.requireMillis("timeout", timeout);
        }

        /**
         * A batch closes this long after its first row, full or not. Without it a batch waits for
         * more rows or the end of input, unless there is a {@link #latencyTarget}.
         */
        public Builder batchTimeout(Duration value) {
            batchTimeout = DurationOption.requireMillis("batchTimeout", value);
            return this;
        }

        /**
         * The time in which {@link #batchTimeout} is measured, processing time by default. In event
         * time a batch closes when the watermark reaches its first row's timestamp plus the
         * timeout; rows then need timestamps.
         */
        public Builder batchTimeDomain(TimeDomain value) {
            batchTimeDomain = Objects.requireNonNull(value, "batchTimeDomain");
            return this;
        }

        /**
         * From a row's arrival to its result. A batch closes early enough to meet it, given how
         * long the last calls took: at once if calls alone take longer. Together with {@link
         * #batchTimeout} the earlier of both counts.
         */
        public Builder latencyTarget(Duration value) {
            latencyTarget = DurationOption.requireMillis("latencyTarget", value);
            return this;
        }

        /** Most batches that are invoked or await emission; then input is held back. */
        public Builder capacity(int value) {
            capacity = (int) requirePositive("capacity", value);
            return this;
        }

        /**
         * A batch closes before the row that would take it past this size, by the estimate of the
         * rows' size that their type allows. Refused for types that do not allow one, whose batches
         * have no bound in bytes.
         */
        public Builder maxBatchBytes(long value) {
            maxBatchBytes = requirePositive("maxBatchBytes", value);
            return this;
        }

        /**
         * Most that batches that are invoked or await emission may weigh together, by the same
         * estimate; then input is held back. A batch that is alone is let through in any case.
         * Refused for types whose rows' size is not known.
         */
        public Builder maxBytesInFlight(long value) {
            maxBytesInFlight = requirePositive("maxBytesInFlight", value);
            return this;
        }

        /**
         * A barrier waits until the batches that are invoked or await emission have left, so that
         * none of them is invoked again after a failure that follows the checkpoint. By default it
         * does not wait, and they are in the state. Refused for unordered results, which promise
         * nothing that this would keep.
         */
        public Builder drainAtCheckpoint(boolean value) {
            drainAtCheckpoint = value;
            return this;
        }

        /**
         * What becomes of rows for which there is no result, once no call is repeated any more: of
         * those that the function names in a {@link RowFailuresException}, of all rows of a call
         * that fails, and of those whose timeout handler fails. {@link OnFailure#FAIL} by default.
         * That what runs the function breaks always fails the task.
         */
        public Builder onFailure(OnFailure value) {
            onFailure = Objects.requireNonNull(value, "onFailure");
            return this;
        }

        /**
         * Whether a call that fails, or returns what is no result, is followed by calls for its
         * halves until the rows that make it fail stand alone, so that all others have their
         * results: about 2·k·log₂(n) more calls for k such rows among n, one after the other and
         * all before the batch's deadline. Off by default.
         */
        public Builder isolate(boolean value) {
            isolate = value;
            return this;
        }

        /**
         * How many calls may be in flight at a time, up to {@link #capacity}, which counts batches
         * that await a retry or emission too. By default there may be one for each of them.
         */
        public Builder concurrency(Concurrency value) {
            concurrency = Objects.requireNonNull(value, "concurrency");
            return this;
        }

        /**
         * What the function calls, by a name of your own. Subtasks of a TaskManager that name the
         * same backend share its {@link #concurrency}, {@link #circuitBreaker} and {@link
         * #retryBudget}, which have to be the same for all of them, and have equal parts of it.
         */
        public Builder backend(String name) {
            backend = Objects.requireNonNull(name, "backend");
            return this;
        }

        /** Stops calls while the backend fails. By default nothing does. */
        public Builder circuitBreaker(CircuitBreakerOptions value) {
            circuitBreaker = Objects.requireNonNull(value, "circuitBreaker");
            return this;
        }

        /** Bounds how many calls are repeated. By default only the retry strategy does. */
        public Builder retryBudget(RetryBudgetOptions value) {
            retryBudget = Objects.requireNonNull(value, "retryBudget");
            return this;
        }

        /**
         * Calls for a batch for a second time, while its first call goes on, when that takes longer
         * than most calls do. The first result counts. Needs a {@link #retryBudget}, and a function
         * that is <b>idempotent</b> and does not change its inputs: it is called twice with the
         * same ones. By default no batch is.
         */
        public Builder hedging(HedgingOptions value) {
            hedging = Objects.requireNonNull(value, "hedging");
            return this;
        }

        /**
         * @throws IllegalArgumentException if options contradict each other
         */
        public AsyncBatchOptions build() {
            if (batchTimeDomain == TimeDomain.EVENT_TIME && batchTimeout == null) {
                throw new IllegalArgumentException(
                        "batchTimeDomain EVENT_TIME needs a batchTimeout, and has none");
            }
            long mostOfOne = maxBatchBytes == null ? DEFAULT_MAX_BATCH_BYTES : maxBatchBytes;
            if (maxBytesInFlight != null && maxBytesInFlight < mostOfOne) {
                throw new IllegalArgumentException(
                        "maxBytesInFlight must be at least maxBatchBytes="
                                + mostOfOne
                                + ", got "
                                + maxBytesInFlight);
            }
            return new AsyncBatchOptions(this);
        }

        private static long requirePositive(String option, long value) {
            if (value < 1) {
                throw new IllegalArgumentException(option + " must be positive, got " + value);
            }
            return value;
        }
    }
}
