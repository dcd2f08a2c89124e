package io.asyncbatch.flink.sidecar.memory;

import java.time.Instant;

/** How shared memory objects are called. Constants. */
final class ObjectNames {

    /** Of all clients, also those in other processes. */
    static final String PREFIX = "async-batch-";

    /**
     * Of this process. With the time of its start, since in containers a process often has the
     * number of the one before it.
     */
    static final String OWN = PREFIX + ProcessHandle.current().pid() + "-" + started() + "-";

    private ObjectNames() {}

    private static String started() {
        long millis =
                ProcessHandle.current().info().startInstant().map(Instant::toEpochMilli).orElse(0L);
        return Long.toString(millis, Character.MAX_RADIX);
    }
}
