package io.asyncbatch.flink.invoker;

import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * Takes rows of a call whose outcome is known before the call ends. Any thread may give them, one
 * at a time and before the call's {@link BatchOutcome}, which is then about the remaining rows.
 *
 * @param <OUT> type of the outputs
 */
@Internal
@FunctionalInterface
public interface EarlyRows<OUT> {

    /**
     * @param rows indexes in the call's inputs, none of which was given before; the operator checks
     * @param results one for each of these rows, null for those that failed
     * @param failures of these rows, by their index in the call's inputs
     */
    void accept(int[] rows, List<OUT> results, List<RowFailure> failures);
}
