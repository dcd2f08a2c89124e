package io.asyncbatch.flink.batchapi.state;

import io.asyncbatch.flink.batchapi.FailedRow;
import io.asyncbatch.flink.batchapi.SubmittedBatch;
import io.asyncbatch.flink.batchapi.SubmittedRow;
import java.io.Serializable;
import java.util.List;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * One entry of the operator's state. Immutable. Each stands for itself, so that Flink may hand them
 * to any number of subtasks.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public sealed interface SavedEntry<IN, OUT> extends Serializable {

    /** A row that is in no job yet. */
    record Pending<IN, OUT>(SavedRow<IN> row) implements SavedEntry<IN, OUT> {}

    /**
     * A job, whatever the API knows of it.
     *
     * @param key by which the API is asked for it, and the first part of its rows' ids
     * @param batchNumber what people know it by
     * @param closedAtMillis wall clock when its rows were complete
     * @param attempt how often its rows were submitted before
     * @param fileId of its file, once that is uploaded
     * @param jobId once the API is known to have it
     * @param ranMillis how long it has run, as far as this operator saw it
     * @param rows whose places are the last parts of their ids
     */
    record Job<IN, OUT>(
            String key,
            String batchNumber,
            long closedAtMillis,
            int attempt,
            @Nullable String fileId,
            @Nullable String jobId,
            long ranMillis,
            List<SavedRow<IN>> rows)
            implements SavedEntry<IN, OUT> {}

    /** A result that has not left. */
    record Result<IN, OUT>(OUT value, boolean hasTimestamp, long timestamp, int segment)
            implements SavedEntry<IN, OUT> {}

    /** A row that failed for good and has not left for the side output. */
    record Failure<IN, OUT>(
            FailedRow<IN> failedRow, boolean hasTimestamp, long timestamp, int segment)
            implements SavedEntry<IN, OUT> {}

    /** A row that was submitted, whose result is another's, and has not left. */
    record Submitted<IN, OUT>(
            SubmittedRow<IN> submittedRow, boolean hasTimestamp, long timestamp, int segment)
            implements SavedEntry<IN, OUT> {}

    /**
     * A job that another submitted.
     *
     * @param ranMillis how long it has run, as far as this operator saw it
     */
    record Followed<IN, OUT>(
            SubmittedBatch batch, long ranMillis, boolean hasTimestamp, long timestamp, int segment)
            implements SavedEntry<IN, OUT> {}

    /** The watermark that ends a segment. */
    record Mark<IN, OUT>(int segment, long timestamp) implements SavedEntry<IN, OUT> {}

    /**
     * Heads the entries of one subtask and tells a restore whether it has these and no others.
     *
     * @param entries number of entries that follow
     * @param nextNumber of the next batch
     */
    record Origin<IN, OUT>(int subtask, int parallelism, int entries, long nextNumber)
            implements SavedEntry<IN, OUT> {}
}
