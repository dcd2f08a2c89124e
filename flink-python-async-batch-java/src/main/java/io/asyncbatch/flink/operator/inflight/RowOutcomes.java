package io.asyncbatch.flink.operator.inflight;

import io.asyncbatch.flink.operator.state.FailedRow;
import java.util.List;
import javax.annotation.Nullable;

/**
 * What became of each row of a batch so far. Nearly always all rows get their results at once, and
 * that costs nothing here. Owned by the mailbox thread.
 *
 * @param <OUT> type of the outputs
 */
final class RowOutcomes<OUT> {

    private static final Object NULL_RESULT = new Object();

    private final int size;

    /** All results, if they came at once. */
    @Nullable private List<OUT> results;

    /** By row: null as long as nothing is known, a result, or a {@link FailedRow}. */
    @Nullable private Object[] outcomes;

    private int settled;
    private int failed;

    RowOutcomes(int size) {
        this.size = size;
    }

    /** Settles all rows. None is yet. */
    void settleAll(List<OUT> allResults) {
        results = allResults;
        settled = size;
    }

    void settle(int row, @Nullable OUT result) {
        put(row, result == null ? NULL_RESULT : result);
    }

    void fail(int row, FailedRow failure) {
        put(row, failure);
        failed++;
    }

    private void put(int row, Object outcome) {
        if (outcomes == null) {
            outcomes = new Object[size];
        }
        if (results != null || outcomes[row] != null) {
            throw new IllegalStateException("row " + row + " has an outcome already");
        }
        outcomes[row] = outcome;
        settled++;
    }

    boolean isSettled(int row) {
        return results != null || outcomes != null && outcomes[row] != null;
    }

    boolean allSettled() {
        return settled == size;
    }

    boolean noneSettled() {
        return settled == 0;
    }

    boolean anyFailed() {
        return failed > 0;
    }

    /** Why a settled row has no result; null if it has one. */
    @Nullable
    FailedRow failure(int row) {
        return outcomes != null && outcomes[row] instanceof FailedRow failure ? failure : null;
    }

    /** The result of a row that is settled and has not failed. */
    @Nullable
    @SuppressWarnings("unchecked")
    OUT result(int row) {
        if (results != null) {
            return results.get(row);
        }
        return outcomes[row] == NULL_RESULT ? null : (OUT) outcomes[row];
    }
}
