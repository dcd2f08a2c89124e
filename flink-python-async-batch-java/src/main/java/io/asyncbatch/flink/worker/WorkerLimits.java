package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.GpuResources;
import io.asyncbatch.flink.worker.memory.SharedMemory;
import java.io.Serializable;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * Bounds on what a worker may take. Immutable; checked when it is made.
 *
 * @param openTimeoutMillis how long a worker may take from its start until the user's {@code open}
 *     has returned
 * @param maxFrameBytes largest batch or result, encoded, in bytes
 * @param maxBytesInFlight most bytes that batches in flight may weigh together
 * @param sharedMemoryThreshold batches and results of at least this many bytes go through shared
 *     memory; none do if it is above {@code maxFrameBytes}
 * @param gpus the GPUs that it may use, or null for whatever it finds
 * @param stallTimeoutMillis how long its event loop may be blocked, or the process stopped, until
 *     it counts as hanging
 */
@Internal
public record WorkerLimits(
        long openTimeoutMillis,
        long maxFrameBytes,
        long maxBytesInFlight,
        long sharedMemoryThreshold,
        @Nullable GpuResources gpus,
        long stallTimeoutMillis)
        implements Serializable {

    /** A frame has to fit into one direct buffer. */
    public static final long LARGEST_FRAME_BYTES = Integer.MAX_VALUE - 16L * 1024 * 1024;

    /**
     * A worker's event loop may be blocked for as long as a call may take, and for so much longer,
     * unless said otherwise: a function that blocks it has then passed its timeout anyway.
     */
    public static final long STALL_SPARE_MILLIS = 10_000;

    /** The receive buffer's first size, and headers. */
    private static final long RECEIVE_OVERHEAD_BYTES = 4L * 1024 * 1024;

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
        if (maxBytesInFlight < 1) {
            throw new IllegalArgumentException(
                    "max_bytes_in_flight must be positive, got " + maxBytesInFlight);
        }
        if (sharedMemoryThreshold < 1) {
            throw new IllegalArgumentException(
                    "shared_memory_threshold must be positive, got " + sharedMemoryThreshold);
        }
        if (stallTimeoutMillis < 1) {
            throw new IllegalArgumentException(
                    "stall_timeout must be positive, got " + stallTimeoutMillis + " ms");
        }
    }

    /** Limits of a worker that hangs when it has done so for longer than anything here takes. */
    WorkerLimits(
            long openTimeoutMillis,
            long maxFrameBytes,
            long maxBytesInFlight,
            long sharedMemoryThreshold,
            @Nullable GpuResources gpus) {
        this(
                openTimeoutMillis,
                maxFrameBytes,
                maxBytesInFlight,
                sharedMemoryThreshold,
                gpus,
                openTimeoutMillis);
    }

    /** The same limits, but for how long the event loop may be blocked. */
    public WorkerLimits withStallTimeoutMillis(long millis) {
        return new WorkerLimits(
                openTimeoutMillis,
                maxFrameBytes,
                maxBytesInFlight,
                sharedMemoryThreshold,
                gpus,
                millis);
    }

    /** Size of the shared memory of each direction, 0 if nothing is shared. */
    long sharedMemoryBytes() {
        return sharedMemoryThreshold > maxFrameBytes
                ? 0
                : Math.min(roundedToPages(maxBytesInFlight), SharedMemory.LARGEST_BYTES);
    }

    private static long roundedToPages(long bytes) {
        long page = SharedMemory.PAGE_BYTES;
        return bytes > Long.MAX_VALUE - page
                ? bytes / page * page
                : (bytes + page - 1) / page * page;
    }

    /**
     * Most that inputs may hold while they are sent, in private and shared memory. More than the
     * weight of batches in flight: weights are estimates, and a column that grows exists twice for
     * a moment.
     */
    long inputMemoryBytes() {
        return plus(plus(maxBytesInFlight, maxBytesInFlight), 4 * maxFrameBytes);
    }

    /** Most that is decoded at a time: one result. */
    long resultMemoryBytes() {
        return 2 * maxFrameBytes;
    }

    /** Most that receiving takes: a frame, and the smaller buffer that had no room for it. */
    long receiveMemoryBytes() {
        return 2 * maxFrameBytes + RECEIVE_OVERHEAD_BYTES;
    }

    private static long plus(long a, long b) {
        return a > Long.MAX_VALUE - b ? Long.MAX_VALUE : a + b;
    }
}
