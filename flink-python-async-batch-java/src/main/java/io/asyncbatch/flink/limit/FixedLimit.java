package io.asyncbatch.flink.limit;

import org.apache.flink.annotation.Internal;

/** A limit that somebody chose. Immutable. */
@Internal
public final class FixedLimit implements ConcurrencyLimit {

    private final int limit;

    /**
     * @param limit calls in flight, at least 1
     */
    public FixedLimit(int limit) {
        if (limit < 1) {
            throw new IllegalArgumentException("concurrency must be positive, got " + limit);
        }
        this.limit = limit;
    }

    @Override
    public int limit() {
        return limit;
    }

    @Override
    public void onCallEnded(EndedCall call) {
        // Whatever happens.
    }
}
