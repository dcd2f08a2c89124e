package io.asyncbatch.flink.limit;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * Holds the callers of one backend to a {@link ConcurrencyLimit}, a {@link CircuitBreaker} and a
 * {@link RetryBudget}. Thread-safe: callers may be subtasks in threads of their own, all others are
 * owned by the lock of this object.
 *
 * <p>Nobody blocks here. Who gets no permit waits, in his own way, until he is woken or until the
 * time that he can ask for has passed, and tries again.
 *
 * <p>Callers are served fairly: who has fewer calls in flight comes first, and who has waited
 * longer among equals. Nobody else takes what they were woken for.
 */
@Internal
public final class BackendControl {

    /** Only somebody's call that ends can change the answer. */
    public static final long UNTIL_WOKEN = Long.MAX_VALUE;

    private final ConcurrencyLimit limit;
    @Nullable private final CircuitBreaker breaker;
    @Nullable private final RetryBudget budget;

    // All guarded by this object.
    private final List<Caller> waiting = new ArrayList<>();
    private int inFlight;
    private long waits;
    private boolean paused;
    private long pausedUntilNanos;

    /**
     * @param breaker none if null
     * @param budget retries are not bounded if null
     */
    public BackendControl(
            ConcurrencyLimit limit,
            @Nullable CircuitBreaker breaker,
            @Nullable RetryBudget budget) {
        this.limit = limit;
        this.breaker = breaker;
        this.budget = budget;
    }

    /**
     * Somebody will call the backend.
     *
     * @param wake called when a permit is there for him after he got none, by the thread whose call
     *     ended and without a lock held. He then tries again, or says that he {@linkplain
     *     Caller#standDown stands down}; until then what is there is kept for him.
     */
    public Caller join(Runnable wake) {
        return join(wake, (from, to) -> {});
    }

    /**
     * Somebody will call the backend, and is told what his calls bring about.
     *
     * @param wake likewise
     * @param transitions called when the circuit breaker changes its state because of what he did,
     *     by his thread and without a lock held: of all callers one is told of each change
     */
    public Caller join(Runnable wake, Transitions transitions) {
        return new Caller(wake, transitions);
    }

    /** Takes changes of the circuit breaker's state. */
    @Internal
    public interface Transitions {

        void changed(CircuitBreaker.State from, CircuitBreaker.State to);
    }

    /** The limit is another one though no call ended. */
    public void limitChanged() {
        List<Caller> toWake;
        synchronized (this) {
            toWake = wakeable();
        }
        toWake.forEach(caller -> caller.wake.run());
    }

    /** Calls in flight, of all callers. */
    public synchronized int inFlight() {
        return inFlight;
    }

    /** Calls that may be in flight, of all callers together. */
    public synchronized int limit() {
        return limit.limit();
    }

    /** Calls that the backend works on at a time, as far as that is known; else the limit. */
    public synchronized double knee() {
        return limit.knee();
    }

    /** Whether calls pass, for metrics and for who fails fast; CLOSED if there is no breaker. */
    public synchronized CircuitBreaker.State state() {
        return breaker == null ? CircuitBreaker.State.CLOSED : breaker.state();
    }

    /** One caller, used by one thread. */
    @Internal
    public final class Caller implements AutoCloseable {

        private final Runnable wake;
        private final Transitions transitions;

        // Guarded by the control.
        private int held;
        private int most = Integer.MAX_VALUE;
        private boolean isWaiting;
        private boolean isWoken;
        private long waitsSince;

        private Caller(Runnable wake, Transitions transitions) {
            this.wake = wake;
            this.transitions = transitions;
        }

        /** Calls in flight that are his. */
        public int inFlight() {
            synchronized (BackendControl.this) {
                return held;
            }
        }

        /**
         * He makes no call while so many are in flight, of all callers, though the limit may be
         * higher. Unless said otherwise only the limit counts.
         *
         * @param calls at least 1
         */
        public void limitTo(int calls) {
            synchronized (BackendControl.this) {
                most = calls;
            }
        }

        /**
         * Whether a first attempt may begin now. If only calls that end can change the answer, he
         * waits for that from then on, as after {@link #tryCall}. If it may, nothing is kept for
         * him any more: he has nothing to call for yet.
         */
        public boolean mayCall(long nowNanos) {
            boolean may;
            List<Caller> toWake = List.of();
            CircuitBreaker.State before;
            CircuitBreaker.State after;
            synchronized (BackendControl.this) {
                if (!isPaused(nowNanos) && isFullFor(this)) {
                    startWaiting(this);
                    return false;
                }
                before = state();
                may = allows(1, nowNanos);
                if (stopWaiting(this)) {
                    toWake = wakeable();
                }
                after = state();
            }
            tell(before, after);
            toWake.forEach(caller -> caller.wake.run());
            return may;
        }

        private void tell(CircuitBreaker.State before, CircuitBreaker.State after) {
            if (before != after) {
                transitions.changed(before, after);
            }
        }

        /**
         * Takes the right to one call now. Who has none only because retries are bounded keeps what
         * he was woken for: he may have a first attempt to make, else he has to {@linkplain
         * #standDown stand down}.
         *
         * @param attempt of this batch, from 1; others than the first are retries
         * @param rows rows of the call, at least 1
         * @param bytes what they weigh
         * @return null if no call may begin now
         */
        @Nullable
        public Permit tryCall(int attempt, int rows, long bytes, long nowNanos) {
            Permit permit;
            List<Caller> toWake = List.of();
            CircuitBreaker.State before;
            CircuitBreaker.State after;
            synchronized (BackendControl.this) {
                if (!isPaused(nowNanos)) {
                    if (isFullFor(this)) {
                        startWaiting(this);
                        return null;
                    }
                    if (isBudgeted(attempt) && !budget.allowsRetry(nowNanos)) {
                        return null;
                    }
                }
                before = state();
                boolean keptOthersWaiting = stopWaiting(this);
                permit = allows(attempt, nowNanos) ? begin(rows, bytes, nowNanos) : null;
                if (permit == null && keptOthersWaiting) {
                    toWake = wakeable();
                }
                after = state();
            }
            tell(before, after);
            toWake.forEach(caller -> caller.wake.run());
            return permit;
        }

        /**
         * Takes the right to a second call for rows whose first one goes on, as a retry and only
         * from what nobody waits for, while the circuit breaker is closed. Who gets none does not
         * wait for it.
         *
         * @param rows rows of the call, at least 1
         * @param bytes what they weigh
         * @return null if no such call may begin now, or retries are not bounded at all
         */
        @Nullable
        public Permit tryHedge(int rows, long bytes, long nowNanos) {
            synchronized (BackendControl.this) {
                boolean isFull = inFlight + waiting.size() >= Math.min(limit.limit(), most);
                if (isFull || isPaused(nowNanos) || state() != CircuitBreaker.State.CLOSED) {
                    return null;
                }
                return budget != null && budget.tryRetry(nowNanos)
                        ? begin(rows, bytes, nowNanos)
                        : null;
            }
        }

        private Permit begin(int rows, long bytes, long nowNanos) {
            long began = nowNanos;
            if (breaker != null) {
                breaker.onCallBegan();
                began = breaker.beginning(nowNanos);
            }
            held++;
            inFlight++;
            return new Permit(this, began, rows, bytes, inFlight);
        }

        /**
         * How long after {@link #tryCall} gave nothing it may give something without anybody being
         * woken, in nanoseconds.
         *
         * @return {@link #UNTIL_WOKEN} if never
         */
        public long nanosUntilTry(int attempt, long nowNanos) {
            synchronized (BackendControl.this) {
                if (isPaused(nowNanos)) {
                    return pausedUntilNanos - nowNanos;
                }
                if (isWaiting && isFullFor(this)) {
                    return UNTIL_WOKEN;
                }
                if (breaker != null && breaker.nanosUntilProbe(nowNanos) > 0) {
                    return breaker.nanosUntilProbe(nowNanos);
                }
                if (breaker != null && !breaker.allowsCall(nowNanos)) {
                    startWaiting(this);
                    return UNTIL_WOKEN;
                }
                return isBudgeted(attempt) ? budget.nanosUntilChange(nowNanos) : 0;
            }
        }

        /** He has nothing to call for any more. */
        public void standDown() {
            List<Caller> toWake;
            synchronized (BackendControl.this) {
                stopWaiting(this);
                toWake = wakeable();
            }
            toWake.forEach(caller -> caller.wake.run());
        }

        /** He leaves. His permits still end; until then their calls count as in flight. */
        @Override
        public void close() {
            standDown();
        }

        void onEnd(EndedCall call, long retryAfterNanos) {
            List<Caller> toWake;
            CircuitBreaker.State before;
            CircuitBreaker.State after;
            synchronized (BackendControl.this) {
                held--;
                inFlight--;
                before = state();
                learn(call, retryAfterNanos);
                after = state();
                toWake = wakeable();
            }
            tell(before, after);
            toWake.forEach(caller -> caller.wake.run());
        }
    }

    private boolean allows(int attempt, long nowNanos) {
        return !isPaused(nowNanos)
                && (breaker == null || breaker.allowsCall(nowNanos))
                && (!isBudgeted(attempt) || budget.tryRetry(nowNanos));
    }

    private void learn(EndedCall call, long retryAfterNanos) {
        // A backend that is away says nothing about how much it takes when it is there.
        if (state() == CircuitBreaker.State.CLOSED) {
            limit.onCallEnded(call);
        }
        if (breaker != null) {
            breaker.onCallEnded(call);
        }
        if (budget != null && call.result() == CallResult.SUCCESS) {
            budget.onSuccess(call.endedNanos());
        }
        if (retryAfterNanos > 0) {
            long until = call.endedNanos() + retryAfterNanos;
            pausedUntilNanos = paused ? Math.max(pausedUntilNanos, until) : until;
            paused = true;
        }
    }

    /** Probes are not: the breaker bounds them, and nothing else can end an outage. */
    private boolean isBudgeted(int attempt) {
        return attempt > 1 && budget != null && state() == CircuitBreaker.State.CLOSED;
    }

    private boolean isPaused(long nowNanos) {
        paused = paused && pausedUntilNanos - nowNanos > 0;
        return paused;
    }

    private void startWaiting(Caller caller) {
        caller.isWoken = false;
        if (!caller.isWaiting) {
            caller.isWaiting = true;
            caller.waitsSince = waits++;
            waiting.add(caller);
        }
    }

    /** Whether he was waiting. */
    private boolean stopWaiting(Caller caller) {
        boolean waited = waiting.remove(caller);
        caller.isWaiting = false;
        caller.isWoken = false;
        return waited;
    }

    private boolean isFullFor(Caller caller) {
        return inFlight + waitersBefore(caller) >= Math.min(limit.limit(), caller.most);
    }

    private int waitersBefore(Caller caller) {
        int before = 0;
        for (Caller other : waiting) {
            before += other != caller && comesBefore(other, caller) ? 1 : 0;
        }
        return before;
    }

    private static boolean comesBefore(Caller one, Caller other) {
        return one.held < other.held
                || (one.held == other.held
                        && (!other.isWaiting || one.waitsSince < other.waitsSince));
    }

    /**
     * Those who wait and for whom there is a permit now; each is woken once. Nobody while only a
     * probe that ends can change the answer: he would go on waiting, and wake the next one.
     */
    private List<Caller> wakeable() {
        int free = limit.limit() - inFlight;
        if (free <= 0 || waiting.isEmpty() || breaker != null && breaker.awaitsProbes()) {
            return List.of();
        }
        List<Caller> served =
                waiting.stream()
                        .filter(caller -> inFlight < caller.most)
                        .sorted(
                                Comparator.<Caller>comparingInt(caller -> caller.held)
                                        .thenComparingLong(caller -> caller.waitsSince))
                        .limit(free)
                        .filter(caller -> !caller.isWoken)
                        .toList();
        served.forEach(caller -> caller.isWoken = true);
        return served;
    }
}
