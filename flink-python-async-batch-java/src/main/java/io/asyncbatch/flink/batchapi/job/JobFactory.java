package io.asyncbatch.flink.batchapi.job;

import io.asyncbatch.flink.batchapi.state.SavedEntry;
import io.asyncbatch.flink.batchapi.state.SavedRow;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;

/**
 * Makes jobs: of rows, of rows of another job, and of a snapshot. Owned by the mailbox thread.
 *
 * @param <IN> type of the inputs
 */
@Internal
public final class JobFactory<IN> {

    /** As long as any row's id is. */
    public static final String LONGEST_ID = "0".repeat(32) + "-49999";

    private final String template;
    private final ProcessingTimeService timeService;
    private final JobKeys<IN> keys;
    private long nextNumber;

    /**
     * @param template of batch numbers, in which only {number} is left to be replaced
     * @param nextNumber of the first batch
     */
    public JobFactory(
            String template,
            JobID flinkJob,
            OperatorID operator,
            int subtask,
            TypeSerializer<IN> serializer,
            ProcessingTimeService timeService,
            long nextNumber) {
        this.template =
                template.replace("{job_id}", flinkJob.toString())
                        .replace("{subtask}", String.valueOf(subtask));
        this.timeService = timeService;
        this.keys = new JobKeys<>(flinkJob + "/" + operator + "/" + subtask, serializer);
        this.nextNumber = nextNumber;
    }

    /** A job of rows that were in none. */
    public BatchJob<IN> create(List<WaitingRow<IN>> rows) throws IOException {
        long number = nextNumber++;
        return new BatchJob<>(
                keys.key(number, rows),
                template.replace("{number}", String.valueOf(number)),
                timeService.getCurrentProcessingTime(),
                0,
                rows);
    }

    /**
     * A job of rows that have no result from another one.
     *
     * @param places of the rows in that job
     */
    public BatchJob<IN> again(BatchJob<IN> before, List<Integer> places) {
        int attempt = before.attempt + 1;
        String number = before.batchNumber;
        String base = before.attempt == 0 ? number : number.substring(0, number.lastIndexOf("-r"));
        List<WaitingRow<IN>> rows = new ArrayList<>();
        for (int place : places) {
            rows.add(before.rows.get(place));
        }
        return new BatchJob<>(
                JobKeys.again(before.key, attempt, places),
                base + "-r" + attempt,
                timeService.getCurrentProcessingTime(),
                attempt,
                rows);
    }

    /** Of the batch that is made next. */
    public long nextNumber() {
        return nextNumber;
    }

    public <OUT> SavedEntry<IN, OUT> save(BatchJob<IN> job) {
        return job.save(timeService.getClock().relativeTimeNanos());
    }

    public <OUT> SavedEntry<IN, OUT> save(WaitingRow<IN> row) {
        return new SavedEntry.Pending<>(row.save());
    }

    public BatchJob<IN> restore(
            SavedEntry.Job<IN, ?> saved, Function<SavedRow<IN>, WaitingRow<IN>> row) {
        BatchJob<IN> job =
                new BatchJob<>(
                        saved.key(),
                        saved.batchNumber(),
                        saved.closedAtMillis(),
                        saved.attempt(),
                        saved.rows().stream().map(row).toList());
        job.fileId = saved.fileId();
        job.jobId = saved.jobId();
        job.ranMillisBefore = saved.ranMillis();
        job.runningSinceNanos = timeService.getClock().relativeTimeNanos();
        return job;
    }
}
