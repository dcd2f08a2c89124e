package io.asyncbatch.flink.batchapi.job;

import io.asyncbatch.flink.batchapi.SubmittedBatch;
import io.asyncbatch.flink.batchapi.state.SavedEntry;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * One batch of rows on its way through the API. Owned by the mailbox thread; {@link JobTracker}
 * alone changes it.
 *
 * @param <IN> type of the inputs
 */
@Internal
public final class BatchJob<IN> {

    /** No snapshot holds the job yet. */
    static final long NO_CHECKPOINT = -1;

    final String key;
    final String batchNumber;
    final long closedAtMillis;
    final int attempt;
    final List<WaitingRow<IN>> rows;

    @Nullable String fileId;
    @Nullable String jobId;

    /** The file with the requests, while it is needed. */
    @Nullable Path requestFile;

    /** The first checkpoint that holds the job. */
    long savedIn = NO_CHECKPOINT;

    /** Whether the API may have the job though nothing here says so. */
    boolean mayExist;

    /** Whether its time to be submitted again has not come. */
    boolean delayed;

    boolean cancelRequested;
    boolean unknownWordLogged;

    /** Of the step that the job is at. */
    int repetitions;

    int fetches;
    long ranMillisBefore;
    long runningSinceNanos;

    BatchJob(
            String key,
            String batchNumber,
            long closedAtMillis,
            int attempt,
            List<WaitingRow<IN>> rows) {
        this.key = key;
        this.batchNumber = batchNumber;
        this.closedAtMillis = closedAtMillis;
        this.attempt = attempt;
        this.rows = rows;
    }

    /** The id of the row at a place; what the API's results are told apart by. */
    String customId(int place) {
        return customId(key, place);
    }

    static String customId(String key, int place) {
        return key + "-" + place;
    }

    long ranMillis(long nowNanos) {
        return jobId == null
                ? ranMillisBefore
                : ranMillisBefore + (nowNanos - runningSinceNanos) / 1_000_000;
    }

    <OUT> SavedEntry<IN, OUT> save(long nowNanos) {
        return new SavedEntry.Job<>(
                key,
                batchNumber,
                closedAtMillis,
                attempt,
                fileId,
                jobId,
                ranMillis(nowNanos),
                rows.stream().map(WaitingRow::save).toList());
    }

    /**
     * What somebody else is told about a job that the API has, to go on with it.
     *
     * @param now by the wall clock
     */
    public SubmittedBatch announce(Instant now, String apiEndpoint, String resultsTopic) {
        SubmittedBatch batch = new SubmittedBatch();
        batch.batchId = jobId;
        batch.submittedAt = now;
        batch.recordCount = rows.size();
        batch.inputFile = fileId == null ? "" : fileId;
        batch.resultsTopic = resultsTopic;
        batch.apiEndpoint = apiEndpoint;
        batch.status = SubmittedBatch.SUBMITTED;
        batch.batchNumber = batchNumber;
        batch.customIdPrefix = key;
        return batch;
    }

    /** For errors and logs. */
    @Override
    public String toString() {
        return "batch " + batchNumber + (jobId == null ? "" : " (job " + jobId + ")");
    }
}
