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
    /**
     * It weighs as much as {@code max_batch_weight} allows, or the next row would have been too
     * much.
     */
    WEIGHT,
    /** {@code batch_timeout} passed since its first row. */
    TIMEOUT,
    /**
     * Too many rows wait for those in it, or rows that hold all slots do; or its rows had waited
     * for another one, in vain.
     */
    WAITED_FOR,
    /** No more rows will come. */
    END_OF_INPUT,
    /** Restored results follow its last row, and a batch is always a run of neighbouring rows. */
    RESTORE
}
