package io.asyncbatch.flink.limit;

import org.apache.flink.annotation.Internal;

/**
 * Says how many calls a backend may have in flight, and learns from how calls end. Pure arithmetic:
 * who holds callers to it is {@link BackendControl}. Owned by one thread at a time.
 */
@Internal
public interface ConcurrencyLimit {

    /** Calls that may be in flight now, at least 1. Fewer may be allowed than are in flight. */
    int limit();

    /**
     * Calls that the backend was last seen to work on at a time; what is beyond them waits. The
     * limit if that is not known.
     */
    default double knee() {
        return limit();
    }

    /** A call ended. Every call is reported once, in the order in which they end. */
    void onCallEnded(EndedCall call);
}
