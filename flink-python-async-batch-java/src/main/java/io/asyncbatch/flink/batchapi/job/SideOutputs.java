package io.asyncbatch.flink.batchapi.job;

import io.asyncbatch.flink.batchapi.FailedRow;
import io.asyncbatch.flink.batchapi.SubmittedRow;
import java.io.Serializable;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.util.OutputTag;

/**
 * Where rows go that have no result. Immutable; travels with the job.
 *
 * @param failedRows that have none for good
 * @param submittedRows that somebody else gets the result of; null where nobody does
 * @param <IN> type of the inputs
 */
@Internal
public record SideOutputs<IN>(
        OutputTag<FailedRow<IN>> failedRows, @Nullable OutputTag<SubmittedRow<IN>> submittedRows)
        implements Serializable {}
