package io.asyncbatch.flink.benchmark.overload;

import io.asyncbatch.flink.limit.AdaptiveLimit;
import io.asyncbatch.flink.limit.AimdLimit;
import io.asyncbatch.flink.limit.BackendControl;
import io.asyncbatch.flink.limit.BatchSizeUnit;
import io.asyncbatch.flink.limit.BreakerSettings;
import io.asyncbatch.flink.limit.CircuitBreaker;
import io.asyncbatch.flink.limit.ConcurrencyLimit;
import io.asyncbatch.flink.limit.FixedLimit;
import io.asyncbatch.flink.limit.LimitBounds;
import io.asyncbatch.flink.limit.RetryBudget;
import java.util.function.Supplier;
import org.apache.flink.annotation.Internal;

/**
 * How a client holds back.
 *
 * @param called its name
 * @param limits makes the algorithm of one client
 * @param protects whether a circuit breaker and a retry budget stand beside it
 * @param hedges whether there is a second call for what takes longer than 95 of 100 calls
 * @param capacity batches that were called and have no results yet, those that wait for a retry
 *     among them
 */
@Internal
public record Policy(
        String called,
        Supplier<ConcurrencyLimit> limits,
        boolean protects,
        boolean hedges,
        int capacity) {

    /** The hard cap of everything that adapts. */
    public static final int CAPACITY = 64;

    private static final LimitBounds BOUNDS = LimitBounds.upTo(CAPACITY);
    private static final int PUBLISHED_INITIAL = 20;

    /** What the operator does with {@code concurrency="adaptive"}. */
    public static Policy adaptive() {
        return new Policy(
                "adaptive",
                () -> new AdaptiveLimit(BOUNDS, BatchSizeUnit.BYTES),
                true,
                false,
                CAPACITY);
    }

    /** What it does without a limit, with a circuit breaker and a retry budget alone. */
    public static Policy unlimited() {
        return new Policy("no limit", () -> new FixedLimit(CAPACITY), true, false, CAPACITY);
    }

    /** The same with second calls. */
    public Policy hedged() {
        return new Policy(called + ", hedged", limits, protects, true, capacity);
    }

    /** A number, as long as the job runs. */
    public static Policy fixed(String called, int limit) {
        return new Policy(called, () -> new FixedLimit(limit), false, false, CAPACITY);
    }

    /** The same where nothing but capacity bounds calls, so that a retry keeps its place. */
    public static Policy capacity(String called, int limit) {
        return new Policy(called, () -> new FixedLimit(limit), false, false, limit);
    }

    /** Additive increase, multiplicative decrease, and nothing else. */
    public static Policy aimd() {
        return new Policy("AIMD", () -> new AimdLimit(BOUNDS), false, false, CAPACITY);
    }

    /** Gradient2 with its published settings, within the same bounds. */
    public static Policy gradient2() {
        return new Policy(
                "Gradient2",
                () -> new Gradient2Limit(new LimitBounds(1, CAPACITY, PUBLISHED_INITIAL)),
                false,
                false,
                CAPACITY);
    }

    BackendControl control() {
        return new BackendControl(
                limits.get(),
                protects ? new CircuitBreaker(BreakerSettings.DEFAULT) : null,
                protects
                        ? new RetryBudget(RetryBudget.DEFAULT_SHARE, RetryBudget.DEFAULT_RESERVE)
                        : null);
    }
}
