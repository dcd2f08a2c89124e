package io.asyncbatch.flink.operator;

import io.asyncbatch.flink.CircuitBreakerOptions;
import io.asyncbatch.flink.CircuitBreakerOptions.WhenOpen;
import io.asyncbatch.flink.Concurrency;
import io.asyncbatch.flink.HedgingOptions;
import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.RetryBudgetOptions;
import java.io.Serializable;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * How much the user lets an operator ask of its backend at a time. Immutable; refuses what
 * contradicts itself when it is made.
 *
 * @param concurrency calls in flight; null for as many as there are batches in flight
 * @param backend the name under which subtasks share one control; null for one a subtask
 * @param circuitBreaker when calls stop; null for never
 * @param retryBudget how many calls are repeated; null for as many as there is reason to
 * @param hedging when a call that takes long gets a second one beside it; null for never
 */
@Internal
public record OverloadSettings(
        @Nullable Concurrency concurrency,
        @Nullable String backend,
        @Nullable CircuitBreakerOptions circuitBreaker,
        @Nullable RetryBudgetOptions retryBudget,
        @Nullable HedgingOptions hedging)
        implements Serializable {

    /** Calls are bounded by the batches in flight alone. */
    public static final OverloadSettings NONE = new OverloadSettings(null, null, null, null, null);

    public OverloadSettings {
        if (backend != null && backend.isBlank()) {
            throw new IllegalArgumentException("backend must have a name, got '" + backend + "'");
        }
        if (backend != null
                && concurrency == null
                && circuitBreaker == null
                && retryBudget == null) {
            throw new IllegalArgumentException(
                    "backend='"
                            + backend
                            + "' shares a concurrency, a circuit breaker or a retry budget, and"
                            + " there is none of these");
        }
        if (hedging != null && retryBudget == null) {
            throw new IllegalArgumentException(
                    "hedging needs a retry_budget, which its second calls are taken from, and there"
                            + " is none");
        }
    }

    /** Whether anything but the batches in flight bounds calls. */
    public boolean isNone() {
        return equals(NONE);
    }

    public boolean isAdaptive() {
        return concurrency != null && concurrency.isAdaptive();
    }

    /** What becomes of batches while the circuit breaker is open. */
    public WhenOpen whenOpen() {
        return circuitBreaker == null ? WhenOpen.BACK_PRESSURE : circuitBreaker.getWhenOpen();
    }

    /** A number above capacity would never be reached, unless others have a part of it too. */
    void requireFits(int capacity, long timeoutMillis, FailureHandling failureHandling) {
        if (backend == null && concurrency != null && concurrency.getMost().orElse(1) > capacity) {
            throw new IllegalArgumentException(
                    "concurrency must be at most capacity="
                            + capacity
                            + ", got "
                            + concurrency.getMost().getAsInt());
        }
        if (backend == null && concurrency != null && concurrency.getLeast() > capacity) {
            throw new IllegalArgumentException(
                    "least concurrency must be at most capacity="
                            + capacity
                            + ", got "
                            + concurrency.getLeast());
        }
        if (backend == null && isAdaptive() && concurrency.getInitial(capacity) > capacity) {
            throw new IllegalArgumentException(
                    "initial concurrency must be at most capacity="
                            + capacity
                            + ", got "
                            + concurrency.getInitial(capacity));
        }
        if (whenOpen() == WhenOpen.FAIL_FAST && failureHandling.onFailure() == OnFailure.FAIL) {
            throw new IllegalArgumentException(
                    "when_open=FAIL_FAST of the circuit breaker needs on_failure to be DEAD_LETTER"
                            + " or SKIP, got FAIL; when_open=FAIL_JOB fails the job");
        }
        if (hedging != null) {
            requireHedgesCanBeSent(capacity, timeoutMillis);
        }
    }

    private void requireHedgesCanBeSent(int capacity, long timeoutMillis) {
        if (hedging.minDelay().toMillis() >= timeoutMillis) {
            throw new IllegalArgumentException(
                    "min_delay of hedging must be below timeout="
                            + timeoutMillis
                            + " ms, got "
                            + hedging.minDelay().toMillis()
                            + " ms");
        }
        if (mostCalls(capacity) < 2) {
            throw new IllegalArgumentException(
                    "hedging needs a concurrency of at least 2, as the first call goes on beside"
                            + " the second, got 1");
        }
    }

    private int mostCalls(int capacity) {
        if (concurrency == null) {
            return Integer.MAX_VALUE;
        }
        return concurrency.getMost().orElse(backend == null ? capacity : Integer.MAX_VALUE);
    }
}
