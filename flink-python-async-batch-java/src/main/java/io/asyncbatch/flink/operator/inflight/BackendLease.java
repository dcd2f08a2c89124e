package io.asyncbatch.flink.operator.inflight;

import io.asyncbatch.flink.Concurrency;
import io.asyncbatch.flink.RetryBudgetOptions;
import io.asyncbatch.flink.limit.AdaptiveLimit;
import io.asyncbatch.flink.limit.Backend;
import io.asyncbatch.flink.limit.BackendControl;
import io.asyncbatch.flink.limit.BatchSizeUnit;
import io.asyncbatch.flink.limit.BreakerSettings;
import io.asyncbatch.flink.limit.CircuitBreaker;
import io.asyncbatch.flink.limit.ConcurrencyLimit;
import io.asyncbatch.flink.limit.FixedLimit;
import io.asyncbatch.flink.limit.LimitBounds;
import io.asyncbatch.flink.limit.PartedLimit;
import io.asyncbatch.flink.limit.RetryBudget;
import io.asyncbatch.flink.limit.SharedBackends;
import io.asyncbatch.flink.limit.StaticSplit;
import io.asyncbatch.flink.operator.BatchSettings;
import io.asyncbatch.flink.operator.OverloadSettings;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.util.clock.Clock;

/**
 * What a subtask calls: a backend of its own, or one that it shares by name with others in this
 * JVM. Used by the mailbox thread.
 */
@Internal
public final class BackendLease implements AutoCloseable {

    /** More than all subtasks of a JVM ever have in flight; their capacities bound them. */
    private static final int MOST_OF_A_SHARED_BACKEND = 1 << 20;

    private static final long NANOS_PER_MILLI = 1_000_000;

    private final String name;
    private final Backend backend;
    @Nullable private final SharedBackends.Lease shared;
    private final Object group;
    private final int part;
    private boolean hasPart;
    private boolean closed;

    /** What all who share a backend have to agree about; shown where they do not. */
    private record Agreement(
            @Nullable Concurrency concurrency,
            @Nullable BreakerSettings circuitBreaker,
            @Nullable RetryBudgetOptions retryBudget) {

        static Agreement of(OverloadSettings settings) {
            return new Agreement(
                    settings.concurrency(),
                    settings.circuitBreaker() == null ? null : settings.circuitBreaker().settings(),
                    settings.retryBudget());
        }
    }

    private BackendLease(
            String name,
            Backend backend,
            @Nullable SharedBackends.Lease shared,
            Object group,
            int part) {
        this.name = name;
        this.backend = backend;
        this.shared = shared;
        this.group = group;
        this.part = part;
        this.hasPart = part > 0;
    }

    /**
     * @param group the operator that the subtask is one of
     * @throws IllegalArgumentException if others use the backend of that name with other settings
     */
    public static BackendLease of(
            BatchSettings settings, TaskInfo subtask, Object group, Clock clock) {
        OverloadSettings overload = settings.overload();
        if (overload.backend() == null) {
            Backend own = make(overload, settings.capacity(), null, clock);
            return new BackendLease("the backend", own, null, group, 0);
        }
        SharedBackends.Lease shared =
                SharedBackends.OF_THIS_JVM.acquire(
                        overload.backend(),
                        Agreement.of(overload),
                        () ->
                                make(
                                        overload,
                                        MOST_OF_A_SHARED_BACKEND,
                                        isFixed(overload)
                                                ? new PartedLimit(overload.concurrency().getLeast())
                                                : null,
                                        clock));
        int part = 0;
        if (isFixed(overload)) {
            part =
                    StaticSplit.part(
                            overload.concurrency().getLeast(),
                            subtask.getNumberOfParallelSubtasks(),
                            subtask.getIndexOfThisSubtask());
            shared.backend().parts().add(group, part);
            shared.backend().control().limitChanged();
        }
        String name = "backend '" + overload.backend() + "'";
        return new BackendLease(name, shared.backend(), shared, group, part);
    }

    private static boolean isFixed(OverloadSettings overload) {
        return overload.concurrency() != null && !overload.concurrency().isAdaptive();
    }

    /**
     * @param parts what the limit is the sum of; null if it is not
     */
    private static Backend make(
            OverloadSettings overload, int most, @Nullable PartedLimit parts, Clock clock) {
        BackendControl control =
                new BackendControl(
                        parts != null ? parts : limit(overload.concurrency(), most),
                        overload.circuitBreaker() == null
                                ? null
                                : new CircuitBreaker(overload.circuitBreaker().settings()),
                        overload.retryBudget() == null
                                ? null
                                : new RetryBudget(
                                        overload.retryBudget().share(),
                                        overload.retryBudget().reserve()));
        // So drains begin at the same time in all JVMs, as far as their clocks agree.
        long zeroNanos = clock.absoluteTimeMillis() * NANOS_PER_MILLI - clock.relativeTimeNanos();
        return new Backend(control, parts, zeroNanos);
    }

    private static ConcurrencyLimit limit(@Nullable Concurrency concurrency, int most) {
        if (concurrency == null) {
            return new FixedLimit(Integer.MAX_VALUE);
        }
        if (!concurrency.isAdaptive()) {
            return new FixedLimit(concurrency.getLeast());
        }
        return new AdaptiveLimit(
                new LimitBounds(
                        concurrency.getLeast(),
                        concurrency.getMost().orElse(most),
                        concurrency.getInitial(most)),
                BatchSizeUnit.ROWS);
    }

    /** For messages. */
    String name() {
        return name;
    }

    Backend backend() {
        return backend;
    }

    boolean isShared() {
        return shared != null;
    }

    /** Whether what the subtasks of this JVM were given of a number leaves one call at a time. */
    boolean isPartOfOneCall() {
        return backend.parts() != null && backend.parts().limit() == 1;
    }

    /** The subtask has made all its calls: others may make more. Idempotent. */
    void finish() {
        if (hasPart) {
            hasPart = false;
            backend.parts().finish(group);
        }
    }

    /** Gives it back. Idempotent. */
    @Override
    public void close() {
        if (!closed && shared != null) {
            if (hasPart) {
                backend.parts().remove(group, part);
            }
            shared.close();
        }
        closed = true;
    }
}
