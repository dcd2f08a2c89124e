package io.asyncbatch.flink.operator.inflight;

import java.util.HashMap;
import java.util.Map;

/**
 * How long the next calls of batches have been held up by a limit, a breaker or a budget. Told only
 * where batches have spans. Owned by the mailbox thread; all times are of the monotonic clock.
 */
final class PermitWaits {

    private static final long NOT_HELD_UP = Long.MIN_VALUE;

    private static final class Wait {
        private long sinceNanos = NOT_HELD_UP;
        private long nanos;

        private void pause(long now) {
            if (sinceNanos != NOT_HELD_UP) {
                nanos += now - sinceNanos;
                sinceNanos = NOT_HELD_UP;
            }
        }
    }

    private final Map<Batch<?, ?>, Wait> waits = new HashMap<>();

    /** The batch's next call may not begin yet. May be told again and again. */
    void heldUp(Batch<?, ?> batch, long now) {
        Wait wait = waits.computeIfAbsent(batch, held -> new Wait());
        if (wait.sinceNanos == NOT_HELD_UP) {
            wait.sinceNanos = now;
        }
    }

    /** No call can begin whatever the limits say, until a batch is told to be held up again. */
    void pauseAll(long now) {
        waits.values().forEach(wait -> wait.pause(now));
    }

    /**
     * The batch's next call begins, or will not be made.
     *
     * @return how long it was held up, in nanoseconds; 0 if it was not, or nobody asks
     */
    long end(Batch<?, ?> batch, long now) {
        Wait wait = waits.isEmpty() ? null : waits.remove(batch);
        if (wait == null) {
            return 0;
        }
        wait.pause(now);
        return wait.nanos;
    }
}
