package io.asyncbatch.flink.worker;

import org.apache.flink.annotation.PublicEvolving;

/**
 * Workers of an operator died more often than {@code worker_restart} allows. The message lists the
 * deaths; the cause is the last one, with the end of what that worker printed and logged.
 */
@PublicEvolving
public final class WorkerRestartsExhaustedException extends Exception {

    private static final long serialVersionUID = 1L;

    WorkerRestartsExhaustedException(
            WorkerRestarts restarts, RestartHistory history, Throwable lastDeath) {
        super(
                "A worker died more than "
                        + restarts.maxRestarts()
                        + (restarts.maxRestarts() == 1 ? " time" : " times")
                        + " within "
                        + restarts.windowMillis()
                        + " ms (worker_restart: max_restarts, window):"
                        + history.describe(),
                lastDeath);
    }
}
