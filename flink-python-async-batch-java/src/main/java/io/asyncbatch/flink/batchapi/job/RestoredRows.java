package io.asyncbatch.flink.batchapi.job;

import io.asyncbatch.flink.batchapi.state.SavedEntry;
import io.asyncbatch.flink.batchapi.state.SavedRow;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * Puts rows of a snapshot back between the watermarks that they stood between. Owned by the mailbox
 * thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class RestoredRows<IN, OUT> {

    private final EmissionQueue<IN, OUT> emission;
    private final List<Segment> segments;

    /**
     * @param emission without any rows yet
     * @param marks in their order; none where rows of several subtasks were mixed
     */
    public RestoredRows(EmissionQueue<IN, OUT> emission, List<SavedEntry.Mark<IN, OUT>> marks) {
        this.emission = emission;
        this.segments = emission.restore(marks);
    }

    public WaitingRow<IN> row(SavedRow<IN> row) {
        return new WaitingRow<>(
                row.value(), row.hasTimestamp(), row.timestamp(), arrived(row.segment(), 1));
    }

    /** Takes what had not left: a result, a failure, or a row that was submitted. */
    public void ready(SavedEntry<IN, OUT> entry) {
        if (entry instanceof SavedEntry.Result<IN, OUT> result) {
            emission.ready(
                    arrived(result.segment(), 1),
                    new Departure<>(
                            result.value(), null, null, result.hasTimestamp(), result.timestamp()));
        } else if (entry instanceof SavedEntry.Failure<IN, OUT> failure) {
            emission.ready(
                    arrived(failure.segment(), 1),
                    new Departure<>(
                            null,
                            failure.failedRow(),
                            null,
                            failure.hasTimestamp(),
                            failure.timestamp()));
        } else if (entry instanceof SavedEntry.Submitted<IN, OUT> submitted) {
            emission.ready(
                    arrived(submitted.segment(), 1),
                    new Departure<>(
                            null,
                            null,
                            submitted.submittedRow(),
                            submitted.hasTimestamp(),
                            submitted.timestamp()));
        }
    }

    /** Some rows are back. */
    public Segment arrived(int number, int rows) {
        Segment segment = segments.get(Math.min(number, segments.size() - 1));
        segment.rows += rows;
        return segment;
    }
}
