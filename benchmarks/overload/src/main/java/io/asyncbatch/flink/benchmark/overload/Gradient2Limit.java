package io.asyncbatch.flink.benchmark.overload;

import io.asyncbatch.flink.limit.CallResult;
import io.asyncbatch.flink.limit.ConcurrencyLimit;
import io.asyncbatch.flink.limit.EndedCall;
import io.asyncbatch.flink.limit.LimitBounds;

/**
 * The algorithm that Netflix published as Gradient2, written anew from its description, with the
 * settings that it comes with: a peer to measure against. It compares the mean call time of a
 * second with a mean over 600 such, takes half as much again for normal, and adds four calls each
 * time, smoothed by a fifth.
 */
final class Gradient2Limit implements ConcurrencyLimit {

    private static final long WINDOW_NANOS = 1_000_000_000L;
    private static final int FEWEST_CALLS = 10;
    private static final int LONG_WINDOWS = 600;
    private static final int WARM_UP_WINDOWS = 10;
    private static final double TOLERANCE = 1.5;
    private static final double QUEUE = 4;
    private static final double SMOOTHING = 0.2;

    private final LimitBounds bounds;
    private double limit;
    private double longNanos;
    private int windows;

    private long windowEndsNanos;
    private double nanos;
    private int calls;
    private int mostInFlight;

    Gradient2Limit(LimitBounds bounds) {
        this.bounds = bounds;
        this.limit = bounds.initial();
    }

    @Override
    public int limit() {
        return (int) limit;
    }

    @Override
    public void onCallEnded(EndedCall call) {
        if (call.result() == CallResult.IGNORED) {
            return;
        }
        // A dropped call counts by the time that it took, like any other: so it is published.
        nanos += call.nanos();
        calls++;
        mostInFlight = Math.max(mostInFlight, call.inFlight());
        if (call.endedNanos() > windowEndsNanos) {
            if (calls >= FEWEST_CALLS) {
                update(nanos / calls);
            }
            windowEndsNanos = call.endedNanos() + WINDOW_NANOS;
            nanos = 0;
            calls = 0;
            mostInFlight = 0;
        }
    }

    private void update(double shortNanos) {
        windows++;
        double weight = windows <= WARM_UP_WINDOWS ? 1.0 / windows : 2.0 / (LONG_WINDOWS + 1);
        longNanos += weight * (shortNanos - longNanos);
        if (longNanos / shortNanos > 2) {
            longNanos *= 0.95;
        }
        if (mostInFlight < limit / 2) {
            return;
        }
        double gradient = Math.max(0.5, Math.min(1, TOLERANCE * longNanos / shortNanos));
        double wanted = limit * gradient + QUEUE;
        limit += SMOOTHING * (wanted - limit);
        limit = Math.max(bounds.least(), Math.min(bounds.most(), limit));
    }
}
