package io.asyncbatch.flink.limit;

import org.apache.flink.annotation.Internal;

/**
 * The right to have one call in flight, from {@link BackendControl.Caller#tryCall}. Ends exactly
 * once, in one of three ways; ending it twice is an error of the caller and throws {@link
 * IllegalStateException}. Used by the thread of its caller.
 */
@Internal
public final class Permit {

    private final BackendControl.Caller caller;
    private final long startedNanos;
    private final int rows;
    private final long bytes;
    private final int inFlight;
    private boolean ended;

    Permit(BackendControl.Caller caller, long startedNanos, int rows, long bytes, int inFlight) {
        this.caller = caller;
        this.startedNanos = startedNanos;
        this.rows = rows;
        this.bytes = bytes;
        this.inFlight = inFlight;
    }

    /**
     * The backend answered.
     *
     * @return the call
     */
    public EndedCall succeed(long nowNanos) {
        return end(CallResult.SUCCESS, nowNanos, 0);
    }

    /**
     * The call's end says nothing about the backend: it was cancelled, never sent, or failed for a
     * reason of its own.
     *
     * @return the call
     */
    public EndedCall ignore(long nowNanos) {
        return end(CallResult.IGNORED, nowNanos, 0);
    }

    /**
     * The backend refused the call for being overloaded or absent, or took too long.
     *
     * @param retryAfterNanos for so long nothing is sent to it, as it asked; 0 if it did not
     * @return the call
     */
    public EndedCall drop(long nowNanos, long retryAfterNanos) {
        return end(CallResult.DROPPED, nowNanos, retryAfterNanos);
    }

    private EndedCall end(CallResult result, long nowNanos, long retryAfterNanos) {
        if (ended) {
            throw new IllegalStateException("a permit ends once, and this one ended before");
        }
        ended = true;
        long ended = nowNanos - startedNanos < 0 ? startedNanos : nowNanos;
        EndedCall call = new EndedCall(result, startedNanos, ended, rows, bytes, inFlight);
        caller.onEnd(call, retryAfterNanos);
        return call;
    }
}
