package io.asyncbatch.flink.worker;

import java.io.Serializable;
import org.apache.flink.annotation.Internal;

/**
 * How often, and how soon, a worker that died is started again. Immutable; checked when it is made.
 *
 * @param maxRestarts most restarts within {@code windowMillis}; one death more fails the task
 * @param windowMillis how long a restart counts
 * @param initialBackoffMillis before the first restart; doubles with every death of a worker that
 *     answered nothing
 * @param maxBackoffMillis it grows no further than this
 */
@Internal
public record WorkerRestarts(
        int maxRestarts, long windowMillis, long initialBackoffMillis, long maxBackoffMillis)
        implements Serializable {

    public WorkerRestarts {
        requireAtLeastOne("max_restarts", maxRestarts);
        requireAtLeastOne("window", windowMillis);
        requireAtLeastOne("initial_backoff", initialBackoffMillis);
        if (maxBackoffMillis < initialBackoffMillis) {
            throw new IllegalArgumentException(
                    "worker_restart: max_backoff must be at least initial_backoff="
                            + initialBackoffMillis
                            + " ms, got "
                            + maxBackoffMillis
                            + " ms");
        }
    }

    private static void requireAtLeastOne(String option, long value) {
        if (value < 1) {
            throw new IllegalArgumentException(
                    "worker_restart: " + option + " must be positive, got " + value);
        }
    }
}
