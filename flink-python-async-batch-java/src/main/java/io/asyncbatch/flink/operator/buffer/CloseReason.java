package io.asyncbatch.flink.operator.buffer;

import org.apache.flink.annotation.Internal;

/** Why a batch took no more rows. */
@Internal
public enum CloseReason {
    /** It has {@code batch_size} rows. */
    SIZE,
    /**
     * It is as heavy as {@code max_batch_bytes} allows, or the next row would have been too much.
     */
    BYTES,
    /** {@code batch_timeout} passed since its first row. */
    TIMEOUT,
    /** No more rows will come. */
    END_OF_INPUT,
    /** Restored results follow its last row, and a batch is always a run of neighbouring rows. */
    RESTORE
}
