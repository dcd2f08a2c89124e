package io.asyncbatch.flink.operator.buffer;

import java.io.Serializable;
import org.apache.flink.annotation.Internal;

/**
 * Estimates how many bytes a row adds to its batch. Called once per row by the mailbox thread, so
 * it must be cheap; travels with the job graph.
 *
 * @param <IN> type of the inputs
 */
@Internal
@FunctionalInterface
public interface RowWeigher<IN> extends Serializable {

    /** Bytes of the row, at least 0. */
    long weigh(IN row);
}
