package io.asyncbatch.flink.limit;

import org.apache.flink.annotation.Internal;

/**
 * One call to a backend, after it ended.
 *
 * @param result what its end says
 * @param startedNanos when it began
 * @param endedNanos when it ended, not before it began
 * @param rows rows that it was called with, at least 1
 * @param bytes what these rows weigh
 * @param inFlight calls in flight when it began, itself among them, at least 1
 */
@Internal
public record EndedCall(
        CallResult result, long startedNanos, long endedNanos, int rows, long bytes, int inFlight) {

    /** How long the call took. */
    public long nanos() {
        return endedNanos - startedNanos;
    }
}
