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

    /** The backend answered, be it with an error that is no sign of overload. */
    public void succeed(long nowNanos) {
        end(CallResult.SUCCESS, nowNanos, 0);
    }

    /** The call's end says nothing about the backend: it was cancelled or never sent. */
    public void ignore(long nowNanos) {
        end(CallResult.IGNORED, nowNanos, 0);
    }

    /**
     * The backend refused the call for being overloaded or absent, or took too long.
     *
     * @param retryAfterNanos for so long nothing is sent to it, as it asked; 0 if it did not
     */
    public void drop(long nowNanos, long retryAfterNanos) {
        end(CallResult.DROPPED, nowNanos, retryAfterNanos);
    }

    private void end(CallResult result, long nowNanos, long retryAfterNanos) {
        if (ended) {
            throw new IllegalStateException("a permit ends once, and this one ended before");
        }
        ended = true;
        caller.onEnd(
                new EndedCall(result, startedNanos, nowNanos, rows, bytes, inFlight),
                retryAfterNanos);
    }
}
