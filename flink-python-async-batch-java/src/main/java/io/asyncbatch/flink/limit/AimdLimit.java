package io.asyncbatch.flink.limit;

import org.apache.flink.annotation.Internal;

/**
 * Grows by one call for each round of answers and shrinks by a share when the backend drops a call,
 * as TCP Reno does. For backends that say when they have enough and are quick until then, such as
 * an API with a quota: how long calls take means nothing to it. Owned by one thread at a time.
 */
@Internal
public final class AimdLimit implements ConcurrencyLimit {

    /** What is left after a drop. */
    static final double BACKOFF = 0.7;

    private final LimitBounds bounds;
    private double limit;
    private boolean dropped;
    private long lastDropNanos;

    public AimdLimit(LimitBounds bounds) {
        this.bounds = bounds;
        this.limit = bounds.initial();
    }

    @Override
    public int limit() {
        return (int) limit;
    }

    @Override
    public void onCallEnded(EndedCall call) {
        if (call.result() == CallResult.SUCCESS && call.inFlight() * 2 >= limit()) {
            limit = bounds.clamp(limit + 1 / limit);
        } else if (call.result() == CallResult.DROPPED && !beganBeforeLastDrop(call)) {
            limit = bounds.clamp(Math.min(limit, call.inFlight()) * BACKOFF);
            dropped = true;
            lastDropNanos = call.endedNanos();
        }
    }

    /** Calls that were in flight together are dropped together, and mean one overload. */
    private boolean beganBeforeLastDrop(EndedCall call) {
        return dropped && call.startedNanos() - lastDropNanos < 0;
    }
}
