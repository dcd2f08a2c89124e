package io.asyncbatch.flink.batchapi.job;

import io.asyncbatch.flink.batchapi.FailedRow;
import io.asyncbatch.flink.batchapi.SubmittedRow;
import io.asyncbatch.flink.batchapi.state.SavedRow;
import org.apache.flink.annotation.Internal;

/**
 * A row that has no result yet. Immutable, but for its segment.
 *
 * @param value as it came in
 * @param hasTimestamp whether it came with a timestamp
 * @param timestamp that timestamp, else 0
 * @param segment between which watermarks it came
 * @param <IN> type of the inputs
 */
@Internal
public record WaitingRow<IN>(IN value, boolean hasTimestamp, long timestamp, Segment segment) {

    SavedRow<IN> save() {
        return new SavedRow<>(value, hasTimestamp, timestamp, segment.savedNumber);
    }

    public <OUT> Departure<IN, OUT> with(OUT result) {
        return new Departure<>(result, null, null, hasTimestamp, timestamp);
    }

    <OUT> Departure<IN, OUT> submitted(String customId) {
        return new Departure<>(
                null, null, new SubmittedRow<>(customId, value), hasTimestamp, timestamp);
    }

    public <OUT> Departure<IN, OUT> failed(String code, String message, int attempts) {
        return new Departure<>(
                null,
                new FailedRow<>(value, code, message, attempts),
                null,
                hasTimestamp,
                timestamp);
    }
}
