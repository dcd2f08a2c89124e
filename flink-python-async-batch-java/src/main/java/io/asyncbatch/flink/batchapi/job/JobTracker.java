package io.asyncbatch.flink.batchapi.job;

import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.batchapi.client.Backoff;
import io.asyncbatch.flink.batchapi.client.BatchApi;
import io.asyncbatch.flink.batchapi.client.JobState;
import io.asyncbatch.flink.batchapi.client.JobStatus;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.random.RandomGenerator;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Says when each job may begin and has it go its way, several at a time: {@link JobSubmission}
 * until the API has it, {@link JobPolling} until it has results. Owned by the mailbox thread, which
 * it never blocks: steps end in other threads and come back as mails.
 *
 * <p>A job is created only when a completed checkpoint holds it, so that whatever fails later, the
 * job's key is known and the API can be asked for it. Where that cannot be had (no checkpoints, the
 * end of the input, more jobs waiting than may be in flight) it is created without, and after a
 * restart looked for all the same, since a batch that forms again the way it did has the same key.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class JobTracker<IN, OUT> {

    private static final Logger LOG = LoggerFactory.getLogger(JobTracker.class);

    private static final Duration LONGEST_BACKOFF = Duration.ofMinutes(2);

    private final Steps steps;
    private final JobSubmission<IN> submission;
    private final JobPolling<IN, OUT> polling;
    private final BatchJobMetrics metrics;
    private final JobListener<IN, OUT> listener;
    private final Backoff jobBackoff;
    private final int maxJobs;
    private final boolean restarted;
    private final boolean endsOnCreation;

    private final LinkedHashSet<BatchJob<IN>> jobs = new LinkedHashSet<>();
    private final LinkedHashSet<BatchJob<IN>> awaitingCheckpoint = new LinkedHashSet<>();
    private final ArrayDeque<BatchJob<IN>> queued = new ArrayDeque<>();
    private boolean awaitsCheckpoints;

    /** Written by the mailbox thread alone, read by metric reporters too. */
    private volatile int inFlight;

    /**
     * Between what jobs go their way.
     *
     * @param awaitsCheckpoints whether there will be checkpoints, and they are to be waited for
     * @param restarted whether there was an earlier attempt, which may have created jobs
     * @param endsOnCreation whether somebody else waits for the results
     */
    @Internal
    public record Course(boolean awaitsCheckpoints, boolean restarted, boolean endsOnCreation) {}

    public JobTracker(
            BatchApi api,
            JobFiles<IN, OUT> files,
            BatchInferenceOptions options,
            ProcessingTimeService timeService,
            MailboxExecutor mailbox,
            BatchJobMetrics metrics,
            JobListener<IN, OUT> listener,
            RandomGenerator random,
            Course course) {
        this.steps = new Steps(timeService, mailbox);
        this.metrics = metrics;
        this.listener = listener;
        this.awaitsCheckpoints = course.awaitsCheckpoints();
        this.restarted = course.restarted();
        this.endsOnCreation = course.endsOnCreation();
        this.maxJobs = options.get(BatchInferenceOptions.MAX_JOBS);
        int maxRetries = options.get(BatchInferenceOptions.MAX_RETRIES);
        Backoff callBackoff = backoff(options.get(BatchInferenceOptions.RETRY_DELAY), random);
        this.jobBackoff = backoff(options.get(BatchInferenceOptions.POLL_INTERVAL), random);
        CallRetries retries =
                new CallRetries(steps, callBackoff, maxRetries, metrics, listener::onFailure);
        this.submission =
                new JobSubmission<>(
                        api,
                        files,
                        steps,
                        new JobSearch<>(
                                api, steps, callBackoff, maxRetries, metrics, listener::onFailure),
                        retries,
                        metrics,
                        new AfterSubmission());
        this.polling =
                new JobPolling<>(
                        api,
                        files,
                        steps,
                        retries,
                        callBackoff,
                        metrics,
                        random,
                        options,
                        new AfterPolling());
    }

    private static Backoff backoff(Duration first, RandomGenerator random) {
        return new Backoff(first.toMillis(), LONGEST_BACKOFF.toMillis(), random);
    }

    // ----------------------------------------------------------- from outside

    /** Takes a new job. */
    public void submit(BatchJob<IN> job) throws Exception {
        jobs.add(job);
        if (!awaitsCheckpoints) {
            release(job, false);
            return;
        }
        awaitingCheckpoint.add(job);
        if (awaitingCheckpoint.size() > maxJobs) {
            // Memory does not wait for checkpoints that fail.
            BatchJob<IN> oldest = awaitingCheckpoint.iterator().next();
            awaitingCheckpoint.remove(oldest);
            release(oldest, false);
        }
    }

    /** Takes a job of rows that were submitted before, and lets some time pass first. */
    public void resubmit(BatchJob<IN> job) throws Exception {
        job.delayed = true;
        submit(job);
        steps.after(
                jobBackoff.beforeRepetition(job.attempt, 0),
                () -> {
                    job.delayed = false;
                    enqueueIfReleased(job);
                });
    }

    /** Takes a job that somebody else created. */
    public void follow(BatchJob<IN> job) throws Exception {
        jobs.add(job);
        enqueueIfReleased(job);
    }

    /** Takes a job of a snapshot. */
    public void restore(BatchJob<IN> job) throws Exception {
        jobs.add(job);
        job.mayExist = job.jobId == null;
        if (job.jobId != null) {
            metrics.adopted.inc();
        }
        enqueueIfReleased(job);
    }

    /** A snapshot is taken, and will hold all jobs. */
    public void onSnapshot(long checkpointId) {
        for (BatchJob<IN> job : awaitingCheckpoint) {
            if (job.savedIn == BatchJob.NO_CHECKPOINT) {
                job.savedIn = checkpointId;
            }
        }
    }

    public void onCheckpointComplete(long checkpointId) throws Exception {
        for (BatchJob<IN> job : List.copyOf(awaitingCheckpoint)) {
            if (job.savedIn != BatchJob.NO_CHECKPOINT && job.savedIn <= checkpointId) {
                awaitingCheckpoint.remove(job);
                release(job, true);
            }
        }
    }

    /** No checkpoint comes any more. */
    public void stopAwaitingCheckpoints() throws Exception {
        awaitsCheckpoints = false;
        for (BatchJob<IN> job : new ArrayList<>(awaitingCheckpoint)) {
            awaitingCheckpoint.remove(job);
            release(job, false);
        }
    }

    /** Whether jobs that could be created wait for others to end. */
    public boolean hasWaiting() {
        return !queued.isEmpty();
    }

    /** All that have not ended. */
    public Iterable<BatchJob<IN>> jobs() {
        return jobs;
    }

    /** Jobs that the API has or is about to have. Any thread may ask. */
    public int inFlight() {
        return inFlight;
    }

    /** What comes back from now on is ignored. Jobs run on: a restart goes on with them. */
    public void close() {
        steps.close();
    }

    // ----------------------------------------------------------------- places

    private void release(BatchJob<IN> job, boolean saved) throws Exception {
        job.mayExist |= restarted && !saved;
        enqueueIfReleased(job);
    }

    private void enqueueIfReleased(BatchJob<IN> job) throws Exception {
        if (!job.delayed && !awaitingCheckpoint.contains(job)) {
            queued.add(job);
            startQueued();
        }
    }

    private void startQueued() throws Exception {
        while (inFlight < maxJobs && !queued.isEmpty()) {
            setInFlight(inFlight + 1);
            start(queued.remove());
        }
    }

    private void start(BatchJob<IN> job) throws Exception {
        if (job.jobId != null) {
            polling.resume(job);
        } else {
            submission.start(job);
        }
    }

    /** A job is the listener's again. */
    private void leave(BatchJob<IN> job) {
        jobs.remove(job);
        setInFlight(inFlight - 1);
    }

    private void setInFlight(int jobsInFlight) {
        inFlight = jobsInFlight;
    }

    // ------------------------------------------------------------------- ends

    private void reject(BatchJob<IN> job, String code, Throwable failure) throws Exception {
        LOG.warn("The Batch API refused {}: {}", job, failure.getMessage());
        finish(job, JobState.FAILED, new JobResults<>(job.rows.size()), code);
    }

    private void finish(BatchJob<IN> job, JobState state, JobResults<OUT> results, String restCode)
            throws Exception {
        (state == JobState.COMPLETED ? metrics.completed : metrics.failed).inc();
        if (job.jobId != null) {
            metrics.latencyMs.update(job.ranMillis(steps.nanos()));
        }
        leave(job);
        listener.onFinished(job, results, restCode);
        startQueued();
    }

    private final class AfterSubmission implements JobSubmission.End<IN> {

        @Override
        public void created(BatchJob<IN> job, JobStatus status) throws Exception {
            if (endsOnCreation) {
                leave(job);
                listener.onCreated(job);
                startQueued();
            } else {
                polling.begin(job, status);
            }
        }

        @Override
        public void rejected(BatchJob<IN> job, String code, Throwable failure) throws Exception {
            reject(job, code, failure);
        }
    }

    private final class AfterPolling implements JobPolling.End<IN, OUT> {

        @Override
        public void finished(
                BatchJob<IN> job, JobState state, JobResults<OUT> results, String restCode)
                throws Exception {
            finish(job, state, results, restCode);
        }

        @Override
        public void rejected(BatchJob<IN> job, String code, Throwable failure) throws Exception {
            reject(job, code, failure);
        }
    }
}
