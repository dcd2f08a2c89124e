package io.asyncbatch.flink;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Completes a batch some of whose rows have no result: what an {@link AsyncBatchFunction} throws,
 * or gives to {@code ResultFuture.completeExceptionally}, so that {@link OnFailure} decides about
 * these rows alone. Immutable.
 */
@PublicEvolving
public final class RowFailuresException extends Exception {

    private static final long serialVersionUID = 1L;

    private final transient List<Object> results;
    private final transient Map<Integer, Throwable> failures;

    /**
     * @param results one for each input, in their order; those of failed rows are not looked at
     * @param failures why a row has no result, by its index in the batch; at least one
     */
    public RowFailuresException(Collection<?> results, Map<Integer, ? extends Throwable> failures) {
        super(describe(results.size(), failures), failures.values().iterator().next());
        this.results = Collections.unmodifiableList(new ArrayList<>(results));
        this.failures = Collections.unmodifiableMap(new TreeMap<>(failures));
    }

    private static String describe(int rows, Map<Integer, ? extends Throwable> failures) {
        if (failures.isEmpty()) {
            throw new IllegalArgumentException("failures must name at least one row, got none");
        }
        failures.forEach(
                (row, failure) -> {
                    if (row < 0 || row >= rows || failure == null) {
                        throw new IllegalArgumentException(
                                "failures must name rows from 0 to "
                                        + (rows - 1)
                                        + " and why each failed, got "
                                        + (failure == null ? "no reason for row " : "row ")
                                        + row);
                    }
                });
        return failures.size() + " of " + rows + " rows have no result";
    }

    public List<?> results() {
        return results;
    }

    public Map<Integer, Throwable> failures() {
        return failures;
    }
}
