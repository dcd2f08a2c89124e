package io.asyncbatch.flink.batchapi.job;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * What becomes of the rows of a job that ended: a result, another attempt, or a failure for good.
 * Immutable.
 *
 * @param again places of the rows that are to be submitted once more
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public record RowOutcomes<IN, OUT>(
        List<Success<IN, OUT>> successes, List<Failure<IN>> failures, List<Integer> again) {

    /** A row and its result. */
    public record Success<IN, OUT>(WaitingRow<IN> row, OUT result) {}

    /** A row that has been submitted as often as it may. */
    public record Failure<IN>(WaitingRow<IN> row, String code, String message, int attempts) {}

    /**
     * @param restCode why rows that the results do not mention have none
     * @param mostResubmissions how often a row is submitted after the first time
     */
    public static <IN, OUT> RowOutcomes<IN, OUT> of(
            BatchJob<IN> job, JobResults<OUT> results, String restCode, int mostResubmissions) {
        List<Success<IN, OUT>> successes = new ArrayList<>();
        List<Failure<IN>> failures = new ArrayList<>();
        List<Integer> again = new ArrayList<>();
        for (int place = 0; place < job.rows.size(); place++) {
            WaitingRow<IN> row = job.rows.get(place);
            JobResults.Outcome<OUT> outcome = results.outcome(place);
            if (outcome != null && outcome.code() == null) {
                successes.add(new Success<>(row, outcome.value()));
            } else if (job.attempt < mostResubmissions) {
                again.add(place);
            } else {
                failures.add(
                        new Failure<>(
                                row,
                                outcome == null ? restCode : outcome.code(),
                                outcome == null ? "" : outcome.message(),
                                job.attempt + 1));
            }
        }
        return new RowOutcomes<>(successes, failures, again);
    }
}
