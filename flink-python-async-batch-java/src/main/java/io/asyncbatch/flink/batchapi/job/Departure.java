package io.asyncbatch.flink.batchapi.job;

import io.asyncbatch.flink.batchapi.FailedRow;
import io.asyncbatch.flink.batchapi.SubmittedRow;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * What leaves for one row. Immutable.
 *
 * @param result of the row; means nothing if something goes to a side output instead
 * @param failure what goes to the side output of failed rows instead
 * @param submitted what goes to the side output of submitted rows instead
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public record Departure<IN, OUT>(
        @Nullable OUT result,
        @Nullable FailedRow<IN> failure,
        @Nullable SubmittedRow<IN> submitted,
        boolean hasTimestamp,
        long timestamp) {}
