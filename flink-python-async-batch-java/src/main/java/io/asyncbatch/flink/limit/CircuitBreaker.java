package io.asyncbatch.flink.limit;

import org.apache.flink.annotation.Internal;

/**
 * Stops calls to a backend that fails, and finds out with few of them when it is back. Owned by one
 * thread at a time.
 *
 * <ul>
 *   <li>CLOSED: calls pass. Opens when too many of the last ones failed or were slow.
 *   <li>OPEN: no call passes, until a pause is over.
 *   <li>HALF_OPEN: one probe passes, then two at a time, and so on as long as all succeed; enough
 *       of them close it. One that fails, or is slow, opens it again, for twice as long.
 * </ul>
 *
 * <p>How a call ended that began before the last change of state is not counted: it tells of the
 * past.
 */
@Internal
public final class CircuitBreaker {

    /** Whether calls pass. */
    public enum State {
        CLOSED,
        OPEN,
        HALF_OPEN
    }

    private final BreakerSettings settings;
    private final RecentCalls recent;
    private final long slowCallNanos;
    private final long firstPauseNanos;
    private final long longestPauseNanos;

    private State state = State.CLOSED;
    private boolean changed;
    private long changedNanos;
    private long pauseNanos;
    private int probing;
    private int succeeded;
    private long opened;

    public CircuitBreaker(BreakerSettings settings) {
        this.settings = settings;
        this.recent = new RecentCalls(settings.windowCalls(), settings.windowTime().toNanos());
        this.slowCallNanos = settings.slowCall().toNanos();
        this.firstPauseNanos = settings.firstPause().toNanos();
        this.longestPauseNanos = settings.longestPause().toNanos();
        this.pauseNanos = firstPauseNanos;
    }

    /** The state as of the last call of a method here: a pause that is over shows at the next. */
    public State state() {
        return state;
    }

    /** How often it has opened. */
    public long opened() {
        return opened;
    }

    /** Whether a call may begin. One that then does is told to {@link #onCallBegan}. */
    public boolean allowsCall(long nowNanos) {
        if (state == State.OPEN && nanosUntilProbe(nowNanos) == 0) {
            enter(State.HALF_OPEN, nowNanos);
            probing = 0;
            succeeded = 0;
        }
        return switch (state) {
            case CLOSED -> true;
            case OPEN -> false;
            case HALF_OPEN -> !awaitsProbes();
        };
    }

    /** Whether no call may begin before a probe that is under way ends. */
    public boolean awaitsProbes() {
        return state == State.HALF_OPEN
                && probing >= Math.min(1 + succeeded, settings.probes() - succeeded);
    }

    /** How long it stays open from now on; 0 unless it is. */
    public long nanosUntilProbe(long nowNanos) {
        return state == State.OPEN ? Math.max(0, changedNanos + pauseNanos - nowNanos) : 0;
    }

    /**
     * When a call began that was allowed, by the clock of this: who allowed it may have looked at
     * the time before somebody else had it enter its state.
     */
    public long beginning(long nowNanos) {
        return changed && nowNanos - changedNanos < 0 ? changedNanos : nowNanos;
    }

    /** A call began that was allowed. */
    public void onCallBegan() {
        if (state == State.HALF_OPEN) {
            probing++;
        }
    }

    /** A call ended. */
    public void onCallEnded(EndedCall call) {
        if (changed && call.startedNanos() - changedNanos < 0) {
            return;
        }
        boolean slow = call.nanos() > slowCallNanos;
        if (state == State.HALF_OPEN) {
            onProbeEnded(call, slow);
        } else if (state == State.CLOSED && call.result() != CallResult.IGNORED) {
            recent.add(call.endedNanos(), call.result() == CallResult.DROPPED, slow);
            if (recent.calls() >= settings.leastCalls()
                    && (recent.failureRate() >= settings.failureRate()
                            || recent.slowCallRate() >= settings.slowCallRate())) {
                pauseNanos = firstPauseNanos;
                open(call.endedNanos());
            }
        }
    }

    private void onProbeEnded(EndedCall call, boolean slow) {
        probing--;
        if (call.result() == CallResult.IGNORED) {
            return;
        }
        if (call.result() == CallResult.DROPPED || slow) {
            pauseNanos = Math.min(2 * pauseNanos, longestPauseNanos);
            open(call.endedNanos());
            return;
        }
        succeeded++;
        if (succeeded == settings.probes()) {
            enter(State.CLOSED, call.endedNanos());
            recent.clear();
        }
    }

    private void open(long nowNanos) {
        opened++;
        enter(State.OPEN, nowNanos);
    }

    private void enter(State next, long nowNanos) {
        state = next;
        changed = true;
        changedNanos = nowNanos;
    }
}
