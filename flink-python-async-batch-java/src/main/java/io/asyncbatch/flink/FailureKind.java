package io.asyncbatch.flink;

import org.apache.flink.annotation.PublicEvolving;

/** Why a row, or a whole batch, has no result. The names are what dead letters show. */
@PublicEvolving
public enum FailureKind {
    /** The function failed for all rows of a call. */
    EXCEPTION,

    /** The function said that it has no result for this row. */
    ROW_FAILURE,

    /** The function returned, but not one result for each input, or one that does not fit. */
    INVALID_RESULT,

    /** The deadline passed and the timeout handler failed or did not answer. */
    TIMEOUT,

    /** The row alone is more than the model takes. */
    TOO_LARGE,

    /** The worker died again and again while it had this row, and nothing else. */
    WORKER_LOST,

    /** The circuit breaker of the backend was open, so the function was not called. */
    CIRCUIT_OPEN,

    /** What runs the function is broken. */
    INVOKER
}
