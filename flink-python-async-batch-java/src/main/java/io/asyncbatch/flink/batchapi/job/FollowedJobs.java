package io.asyncbatch.flink.batchapi.job;

import io.asyncbatch.flink.batchapi.RequestId;
import io.asyncbatch.flink.batchapi.SubmittedBatch;
import io.asyncbatch.flink.batchapi.state.SavedEntry;
import java.util.AbstractList;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;

/**
 * Makes jobs of batches that another Flink job submitted, and of a snapshot. Owned by the mailbox
 * thread.
 */
@Internal
public final class FollowedJobs {

    private final ProcessingTimeService timeService;

    public FollowedJobs(ProcessingTimeService timeService) {
        this.timeService = timeService;
    }

    /**
     * A job whose rows are the ids of its requests, all in one place among the watermarks.
     *
     * @param ranMillis how long it has run, as far as this operator saw it
     */
    public BatchJob<RequestId> follow(
            SubmittedBatch batch,
            boolean hasTimestamp,
            long timestamp,
            Segment segment,
            long ranMillis) {
        BatchJob<RequestId> job =
                new BatchJob<>(
                        batch.customIdPrefix,
                        batch.batchNumber,
                        batch.submittedAt.toEpochMilli(),
                        0,
                        new Requests(batch, hasTimestamp, timestamp, segment));
        job.jobId = batch.batchId;
        job.ranMillisBefore = ranMillis;
        job.runningSinceNanos = timeService.getClock().relativeTimeNanos();
        return job;
    }

    /** Saves a job that this made: as its batch, since the ids follow from it. */
    public <OUT> SavedEntry<RequestId, OUT> save(BatchJob<RequestId> job) {
        Requests requests = (Requests) job.rows;
        return new SavedEntry.Followed<>(
                requests.batch,
                job.ranMillis(timeService.getClock().relativeTimeNanos()),
                requests.hasTimestamp,
                requests.timestamp,
                requests.segment.savedNumber);
    }

    /** Rows that are made when they are asked for: a batch may have 50,000, and most only wait. */
    private static final class Requests extends AbstractList<WaitingRow<RequestId>> {

        private final SubmittedBatch batch;
        private final boolean hasTimestamp;
        private final long timestamp;
        private final Segment segment;

        Requests(SubmittedBatch batch, boolean hasTimestamp, long timestamp, Segment segment) {
            this.batch = batch;
            this.hasTimestamp = hasTimestamp;
            this.timestamp = timestamp;
            this.segment = segment;
        }

        @Override
        public WaitingRow<RequestId> get(int place) {
            return new WaitingRow<>(
                    new RequestId(
                            batch.batchId,
                            BatchJob.customId(batch.customIdPrefix, place),
                            batch.resultsTopic),
                    hasTimestamp,
                    timestamp,
                    segment);
        }

        @Override
        public int size() {
            return batch.recordCount;
        }
    }
}
