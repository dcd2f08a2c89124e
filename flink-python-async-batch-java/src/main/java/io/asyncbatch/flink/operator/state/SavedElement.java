package io.asyncbatch.flink.operator.state;

import java.io.Serializable;
import org.apache.flink.annotation.Internal;

/**
 * One entry of the operator's state, in the order of the operator's row sequence. Immutable.
 *
 * <p>Entries are rows, not batches, so that a restore may use another batch size, capacity, order
 * or parallelism.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public sealed interface SavedElement<IN, OUT> extends Serializable {

    /** A row without a result: it will be invoked again. */
    record Input<IN, OUT>(IN value, boolean hasTimestamp, long timestamp)
            implements SavedElement<IN, OUT> {}

    /** A row's result that has not left: it will not be computed again. */
    record Result<IN, OUT>(OUT value, boolean hasTimestamp, long timestamp)
            implements SavedElement<IN, OUT> {}

    /** A row that will have no result, and has not left. */
    record Failed<IN, OUT>(IN value, FailedRow failure, boolean hasTimestamp, long timestamp)
            implements SavedElement<IN, OUT> {}

    /** A watermark that waits for the rows before it. */
    record Mark<IN, OUT>(long timestamp) implements SavedElement<IN, OUT> {}

    /**
     * Heads the entries of one subtask and tells a restore whether it has these and no others.
     *
     * @param subtask index of the subtask that wrote the entries
     * @param parallelism parallelism of the operator that wrote them
     * @param entries number of entries that follow
     */
    record Origin<IN, OUT>(int subtask, int parallelism, int entries)
            implements SavedElement<IN, OUT> {}
}
