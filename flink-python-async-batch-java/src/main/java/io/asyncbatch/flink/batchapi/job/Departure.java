package io.asyncbatch.flink.batchapi.job;

import io.asyncbatch.flink.batchapi.FailedRow;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * What leaves for one row. Immutable.
 *
 * @param result of the row; means nothing if there is a failure
 * @param failure what goes to the side output instead
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public record Departure<IN, OUT>(
        @Nullable OUT result,
        @Nullable FailedRow<IN> failure,
        boolean hasTimestamp,
        long timestamp) {}
