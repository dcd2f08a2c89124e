package io.asyncbatch.flink.limit;

import org.apache.flink.annotation.Internal;

/** What the end of a call says about its backend. */
@Internal
public enum CallResult {
    /** The backend answered; how long it took tells how busy it is. */
    SUCCESS,

    /** Says nothing: the call was cancelled, never sent, or failed for a reason of its own. */
    IGNORED,

    /** The backend refused it (HTTP 429 or 503, UNAVAILABLE, out of memory) or took too long. */
    DROPPED
}
