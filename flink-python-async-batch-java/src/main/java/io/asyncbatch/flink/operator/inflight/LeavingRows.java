package io.asyncbatch.flink.operator.inflight;

import io.asyncbatch.flink.operator.buffer.BatchRows;
import io.asyncbatch.flink.operator.buffer.RowTimestamps;
import io.asyncbatch.flink.operator.state.FailedRow;
import io.asyncbatch.flink.operator.state.SavedElement;
import java.util.function.Consumer;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * The rows of one batch on their way out: where they stand in the operator's row sequence, which
 * have left, and as what the others leave or are saved. Knows nothing of calls. Owned by the
 * mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class LeavingRows<IN, OUT> {

    private final int size;
    private final RowTimestamps timestamps;
    private final RowOutcomes<OUT> outcomes;
    private final Departures departures;

    /** Null once nothing needs the inputs, so that they and the results are not both held. */
    @Nullable private BatchRows<IN> inputs;

    private long firstPosition;

    /**
     * @param inputs null if all rows have results
     */
    LeavingRows(
            int size,
            @Nullable BatchRows<IN> inputs,
            RowTimestamps timestamps,
            RowOutcomes<OUT> outcomes) {
        this.size = size;
        this.inputs = inputs;
        this.timestamps = timestamps;
        this.outcomes = outcomes;
        this.departures = new Departures(size, outcomes);
    }

    /** The rows as they came; null if all have results. */
    @Nullable
    BatchRows<IN> inputs() {
        return inputs;
    }

    /** All rows have results, and leave as them. */
    void dropInputs() {
        inputs = null;
    }

    /** Places the batch in the operator's row sequence. */
    public void placeAt(long position) {
        firstPosition = position;
    }

    public long firstPosition() {
        return firstPosition;
    }

    /** Position of the first row that has not left yet. */
    public long nextPosition() {
        return firstPosition + departures.next();
    }

    /** Rows that have not left yet. */
    public int remaining() {
        return departures.remaining();
    }

    /**
     * Whether a row may leave.
     *
     * @param before only rows that stand before this position
     * @param inOrder whether no row leaves before one that came earlier
     */
    public boolean hasReady(long before, boolean inOrder) {
        return departures.nextReady(0, endOf(before), inOrder) >= 0;
    }

    /**
     * Lets rows leave whose outcome is known.
     *
     * @param most at most as many
     * @param before only rows that stand before this position
     * @param inOrder whether no row leaves before one that came earlier
     * @return how many left
     */
    public int emit(int most, long before, boolean inOrder, RowOutput<OUT> output) {
        int end = endOf(before);
        int count = 0;
        int row = 0;
        while (count < most && (row = departures.nextReady(row, end, inOrder)) >= 0) {
            departures.left(row);
            count++;
            leave(row, output);
        }
        return count;
    }

    private int endOf(long before) {
        return (int) Math.min(size, before - firstPosition);
    }

    private void leave(int row, RowOutput<OUT> output) {
        boolean hasTimestamp = timestamps.isPresent(row);
        long timestamp = timestamps.get(row);
        FailedRow failure = outcomes.failure(row);
        if (failure == null) {
            output.result(outcomes.result(row), hasTimestamp, timestamp);
        } else {
            output.failure(inputs.value(row), failure, hasTimestamp, timestamp);
        }
    }

    /** Saves the row at a position unless it has left, as its outcome if that is known. */
    public void save(long position, Consumer<SavedElement<IN, OUT>> snapshot) {
        int row = (int) (position - firstPosition);
        if (departures.hasLeft(row)) {
            return;
        }
        boolean hasTimestamp = timestamps.isPresent(row);
        long timestamp = timestamps.get(row);
        FailedRow failure = outcomes.failure(row);
        if (failure != null) {
            snapshot.accept(
                    new SavedElement.Failed<>(inputs.value(row), failure, hasTimestamp, timestamp));
        } else if (outcomes.isSettled(row)) {
            snapshot.accept(
                    new SavedElement.Result<>(outcomes.result(row), hasTimestamp, timestamp));
        } else {
            snapshot.accept(new SavedElement.Input<>(inputs.value(row), hasTimestamp, timestamp));
        }
    }
}
