package io.asyncbatch.flink.simulation;

/** A task ended with an exception. An error, so that nothing in between takes it for its own. */
final class TaskFailed extends Error {

    private static final long serialVersionUID = 1L;

    TaskFailed(Throwable cause) {
        super(cause);
    }
}
