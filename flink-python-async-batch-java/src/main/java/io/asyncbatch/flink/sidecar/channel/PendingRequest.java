package io.asyncbatch.flink.sidecar.channel;

import org.apache.flink.annotation.Internal;

/** A request that a caller may still lose interest in. Thread-safe. */
@Internal
public interface PendingRequest {

    /** Sends it, or has it wait for its turn. Called once. */
    void submit();

    /**
     * Ends it, at the server too if it is there. Nothing is reported from then on; without effect
     * if it has been.
     */
    void cancel();
}
