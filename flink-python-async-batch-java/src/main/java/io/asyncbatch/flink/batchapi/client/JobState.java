package io.asyncbatch.flink.batchapi.client;

import org.apache.flink.annotation.Internal;

/** How far a job is, in the words of neither provider. */
@Internal
public enum JobState {
    /** It will change by itself. */
    RUNNING,
    /** A word that is not known. Taken for RUNNING, as a provider may add one at any time. */
    UNKNOWN,
    /** Every request has been attempted. */
    COMPLETED,
    /** The job as such was refused, as a rule before any request was attempted. */
    FAILED,
    /** The provider's time is over; requests may have been answered until then. */
    EXPIRED,
    /** Ended on demand; requests may have been answered until then. */
    CANCELLED;

    public boolean isFinal() {
        return this != RUNNING && this != UNKNOWN;
    }
}
