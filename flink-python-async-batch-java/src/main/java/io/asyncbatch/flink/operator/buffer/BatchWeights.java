package io.asyncbatch.flink.operator.buffer;

import io.asyncbatch.flink.RowGrouping;
import io.asyncbatch.flink.WeightFunction;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * What rows weigh by the user's function, and what a batch may. Owned by the mailbox thread.
 *
 * @param <IN> type of the inputs
 */
@Internal
public final class BatchWeights<IN> {

    @Nullable private final WeightFunction<IN> function;
    private final long most;

    public BatchWeights(RowGrouping<IN> grouping) {
        this.function = grouping.getWeight();
        this.most = grouping.getMaxBatchWeight();
    }

    /** Most that a batch may weigh, unless it is a row alone. */
    long most() {
        return most;
    }

    /** The weight of a row; 0 if rows are not weighed. */
    public long of(IN row) {
        if (function == null) {
            return 0;
        }
        long weight;
        try {
            weight = function.weigh(row);
        } catch (Exception e) {
            throw new IllegalStateException(
                    "weigh failed for a row of " + typeOf(row) + ": " + e.getClass().getName(), e);
        }
        if (weight < 0) {
            throw new IllegalStateException(
                    "weigh must return at least 0, got " + weight + " for a row of " + typeOf(row));
        }
        return weight;
    }

    /** How a row is named in a message: by its class, as its content is nobody else's business. */
    public static String typeOf(@Nullable Object row) {
        return row == null ? "null" : row.getClass().getName();
    }
}
