package io.asyncbatch.flink.batchapi.operator;

import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.batchapi.RequestId;
import io.asyncbatch.flink.batchapi.SubmittedBatch;
import io.asyncbatch.flink.batchapi.job.BatchJob;
import io.asyncbatch.flink.batchapi.job.EmissionQueue;
import io.asyncbatch.flink.batchapi.job.FollowedJobs;
import io.asyncbatch.flink.batchapi.job.JobTracker;
import io.asyncbatch.flink.batchapi.job.RestoredRows;
import io.asyncbatch.flink.batchapi.state.SavedEntry;
import java.util.List;
import java.util.function.Consumer;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Takes batches that another Flink job submitted, each of which is a job. Owned by the mailbox
 * thread. What it takes may have been written by anybody: it becomes part of an address, and a
 * number of rows in memory.
 *
 * @param <OUT> type of the outputs
 */
final class SubmittedBatchIntake<OUT> implements Intake<SubmittedBatch, RequestId, OUT> {

    private static final int MOST_CHARACTERS = 1_000;

    private final String endpoint;
    private final int mostRequests;
    private final FollowedJobs jobs;
    private final JobTracker<RequestId, OUT> tracker;
    private final EmissionQueue<RequestId, OUT> emission;

    SubmittedBatchIntake(Parts<RequestId, OUT> parts) {
        this.endpoint = parts.options().get(BatchInferenceOptions.ENDPOINT);
        this.mostRequests = parts.api().limits().requests();
        this.jobs = new FollowedJobs(parts.timeService());
        this.tracker = parts.tracker();
        this.emission = parts.emission();
    }

    @Override
    public void take(StreamRecord<SubmittedBatch> record) throws Exception {
        SubmittedBatch batch = checked(record.getValue());
        tracker.follow(
                jobs.follow(
                        batch,
                        record.hasTimestamp(),
                        record.hasTimestamp() ? record.getTimestamp() : 0,
                        emission.arrived(batch.recordCount),
                        0));
    }

    private SubmittedBatch checked(SubmittedBatch batch) {
        require(batch.batchId, "batch_id", "[A-Za-z0-9_][A-Za-z0-9._-]{0,511}");
        require(batch.customIdPrefix, "custom_id_prefix", "[0-9a-f]{32}");
        require(batch.batchNumber, "batch_number", "[A-Za-z0-9._-]{1,256}");
        if (batch.recordCount < 1 || batch.recordCount > mostRequests) {
            throw new IllegalArgumentException(
                    "a submitted batch's record_count must be between 1 and "
                            + mostRequests
                            + ", got "
                            + batch.recordCount);
        }
        if (batch.submittedAt == null) {
            throw new IllegalArgumentException("a submitted batch must have submitted_at");
        }
        if (!sameAddress(endpoint, batch.apiEndpoint)) {
            throw new IllegalArgumentException(
                    batch
                            + " was submitted to another API than "
                            + BatchInferenceOptions.ENDPOINT.key()
                            + " "
                            + endpoint
                            + ", and this collector's key is for no other");
        }
        // The rest is not used here, but kept.
        SubmittedBatch copy = new SubmittedBatch();
        copy.batchId = batch.batchId;
        copy.submittedAt = batch.submittedAt;
        copy.recordCount = batch.recordCount;
        copy.inputFile = kept(batch.inputFile, "input_file");
        copy.resultsTopic = kept(batch.resultsTopic, "results_topic");
        copy.apiEndpoint = batch.apiEndpoint;
        copy.status = kept(batch.status, "status");
        copy.batchNumber = batch.batchNumber;
        copy.customIdPrefix = batch.customIdPrefix;
        return copy;
    }

    private static void require(String value, String field, String pattern) {
        if (value == null || !value.matches(pattern)) {
            throw new IllegalArgumentException(
                    "a submitted batch's " + field + " must match " + pattern);
        }
    }

    private static boolean sameAddress(String one, String other) {
        return other != null && withSlash(one).equals(withSlash(other));
    }

    private static String withSlash(String address) {
        return address.endsWith("/") ? address : address + "/";
    }

    /** The state holds it for as long as the job runs. */
    private static String kept(String text, String field) {
        if (text != null && text.length() > MOST_CHARACTERS) {
            throw new IllegalArgumentException(
                    "a submitted batch's "
                            + field
                            + " must have at most "
                            + MOST_CHARACTERS
                            + " characters, got "
                            + text.length());
        }
        return text == null ? "" : text;
    }

    @Override
    public void restore(SavedEntry<RequestId, OUT> entry, RestoredRows<RequestId, OUT> rows)
            throws Exception {
        if (entry instanceof SavedEntry.Followed<RequestId, OUT> followed) {
            tracker.restore(
                    jobs.follow(
                            followed.batch(),
                            followed.hasTimestamp(),
                            followed.timestamp(),
                            rows.arrived(followed.segment(), followed.batch().recordCount),
                            followed.ranMillis()));
        }
    }

    @Override
    public void endInput() {}

    @Override
    public void resubmit(BatchJob<RequestId> job, List<Integer> places) {
        throw new UnsupportedOperationException("whoever has the rows submits them again");
    }

    @Override
    public int mostResubmissions() {
        return 0;
    }

    @Override
    public void save(Consumer<SavedEntry<RequestId, OUT>> snapshot) {
        for (BatchJob<RequestId> job : tracker.jobs()) {
            snapshot.accept(jobs.save(job));
        }
    }

    @Override
    public long nextNumber() {
        return 0;
    }

    @Override
    public void close() {}
}
