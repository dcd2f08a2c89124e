package io.asyncbatch.flink.worker;

import java.io.Serializable;
import org.apache.flink.annotation.Internal;

/**
 * Bounds on what a worker may take. Immutable; checked when it is made.
 *
 * @param openTimeoutMillis how long a worker may take from its start until the user's {@code open}
 *     has returned
 * @param maxFrameBytes largest batch or result, encoded, in bytes
 */
@Internal
public record WorkerLimits(long openTimeoutMillis, long maxFrameBytes) implements Serializable {

    /** A frame has to fit into one direct buffer. */
    public static final long LARGEST_FRAME_BYTES = Integer.MAX_VALUE - 16L * 1024 * 1024;

    public WorkerLimits {
        if (openTimeoutMillis < 1) {
            throw new IllegalArgumentException(
                    "open_timeout must be positive, got " + openTimeoutMillis + " ms");
        }
        if (maxFrameBytes < 1 || maxFrameBytes > LARGEST_FRAME_BYTES) {
            throw new IllegalArgumentException(
                    "max_frame_bytes must be in [1, "
                            + LARGEST_FRAME_BYTES
                            + "], got "
                            + maxFrameBytes);
        }
    }
}
