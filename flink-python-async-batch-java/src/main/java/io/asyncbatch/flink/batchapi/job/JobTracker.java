package io.asyncbatch.flink.batchapi.job;

import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.batchapi.client.Backoff;
import io.asyncbatch.flink.batchapi.client.BatchApi;
import io.asyncbatch.flink.batchapi.client.BatchApiException;
import io.asyncbatch.flink.batchapi.client.JobRequest;
import io.asyncbatch.flink.batchapi.client.JobState;
import io.asyncbatch.flink.batchapi.client.JobStatus;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.random.RandomGenerator;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.util.function.ThrowingRunnable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes jobs from their rows to their results, several at a time, each one step after the other.
 * Owned by the mailbox thread, which it never blocks: steps end in other threads and come back as
 * mails.
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

    /** How often files that do not hold what they should are fetched again. */
    private static final int MOST_REFETCHES = 2;

    private static final double POLL_JITTER = 0.2;

    private final BatchApi api;
    private final JobFiles<IN, OUT> files;
    private final Steps steps;
    private final JobSearch<IN> search;
    private final BatchJobMetrics metrics;
    private final JobListener<IN, OUT> listener;
    private final RandomGenerator random;
    private final Backoff callBackoff;
    private final Backoff jobBackoff;
    private final int maxJobs;
    private final int maxRetries;
    private final long pollMillis;
    private final long maxWaitMillis;
    private final boolean restarted;

    private final LinkedHashSet<BatchJob<IN>> jobs = new LinkedHashSet<>();
    private final LinkedHashSet<BatchJob<IN>> awaitingCheckpoint = new LinkedHashSet<>();
    private final ArrayDeque<BatchJob<IN>> queued = new ArrayDeque<>();
    private boolean awaitsCheckpoints;

    /** Written by the mailbox thread alone, read by metric reporters too. */
    private volatile int inFlight;

    /**
     * @param awaitsCheckpoints whether there will be checkpoints, and they are to be waited for
     * @param restarted whether there was an earlier attempt, which may have created jobs
     */
    public JobTracker(
            BatchApi api,
            JobFiles<IN, OUT> files,
            BatchInferenceOptions options,
            ProcessingTimeService timeService,
            MailboxExecutor mailbox,
            BatchJobMetrics metrics,
            JobListener<IN, OUT> listener,
            RandomGenerator random,
            boolean awaitsCheckpoints,
            boolean restarted) {
        this.api = api;
        this.files = files;
        this.steps = new Steps(timeService, mailbox);
        this.metrics = metrics;
        this.listener = listener;
        this.random = random;
        this.awaitsCheckpoints = awaitsCheckpoints;
        this.restarted = restarted;
        this.maxJobs = options.get(BatchInferenceOptions.MAX_JOBS);
        this.maxRetries = options.get(BatchInferenceOptions.MAX_RETRIES);
        this.pollMillis = options.get(BatchInferenceOptions.POLL_INTERVAL).toMillis();
        this.maxWaitMillis = options.get(BatchInferenceOptions.MAX_WAIT).toMillis();
        long firstDelay = options.get(BatchInferenceOptions.RETRY_DELAY).toMillis();
        this.callBackoff = new Backoff(firstDelay, LONGEST_BACKOFF.toMillis(), random);
        this.jobBackoff = new Backoff(pollMillis, LONGEST_BACKOFF.toMillis(), random);
        this.search =
                new JobSearch<>(api, steps, callBackoff, maxRetries, metrics, listener::onFailure);
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

    /** Takes a job of a snapshot. */
    public void restore(BatchJob<IN> job) throws Exception {
        jobs.add(job);
        job.mayExist = job.jobId == null;
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

    private void setInFlight(int jobsInFlight) {
        inFlight = jobsInFlight;
    }

    // ------------------------------------------------------------------ steps

    private void start(BatchJob<IN> job) throws Exception {
        if (job.jobId != null) {
            metrics.adopted.inc();
            job.runningSinceNanos = steps.nanos();
            poll(job);
        } else if (job.mayExist) {
            lookUp(job);
        } else {
            prepare(job);
        }
    }

    private void lookUp(BatchJob<IN> job) throws Exception {
        search.find(
                job,
                found -> {
                    if (found.isPresent()) {
                        metrics.adopted.inc();
                        LOG.info("Goes on with what was created before: {}", found.get().jobId());
                        created(job, found.get());
                    } else {
                        prepare(job);
                    }
                });
    }

    private void prepare(BatchJob<IN> job) {
        if (job.fileId != null) {
            create(job);
        } else if (job.requestFile != null) {
            send(job);
        } else {
            steps.run(
                    () -> files.write(job),
                    file -> {
                        job.requestFile = file;
                        send(job);
                    },
                    failure -> fail(job, "write the requests of", failure));
        }
    }

    private void send(BatchJob<IN> job) {
        if (!api.uploadsFilesFirst()) {
            create(job);
            return;
        }
        steps.run(
                () -> api.upload(job.requestFile, job.batchNumber + ".jsonl"),
                fileId -> {
                    job.fileId = fileId;
                    job.repetitions = 0;
                    files.remove(job);
                    create(job);
                },
                failure -> {
                    if (kindOf(failure) == BatchApiException.Kind.REJECTED) {
                        reject(job, "file_rejected", failure);
                    } else {
                        repeat(job, "upload the file of", failure, () -> send(job));
                    }
                });
    }

    private void create(BatchJob<IN> job) {
        job.mayExist = true;
        steps.run(
                () ->
                        api.create(
                                new JobRequest(
                                        job.key, job.batchNumber, job.fileId, job.requestFile)),
                status -> {
                    metrics.submitted.inc();
                    metrics.recordsPerJob.update(job.rows.size());
                    created(job, status);
                },
                failure -> {
                    if (kindOf(failure) == BatchApiException.Kind.REJECTED) {
                        reject(job, "job_rejected", failure);
                    } else {
                        // The answer may have been lost on its way back.
                        repeat(job, "create", failure, () -> lookUp(job));
                    }
                });
    }

    private void created(BatchJob<IN> job, JobStatus status) throws Exception {
        files.remove(job);
        job.jobId = status.jobId();
        job.mayExist = false;
        job.repetitions = 0;
        job.runningSinceNanos = steps.nanos();
        onStatus(job, status);
    }

    private void poll(BatchJob<IN> job) {
        metrics.polls.inc();
        steps.run(
                () -> api.status(job.jobId),
                status -> {
                    job.repetitions = 0;
                    onStatus(job, status);
                },
                failure -> {
                    // An API need not know at once everywhere what it has just created.
                    if (kindOf(failure) == BatchApiException.Kind.REJECTED
                            && job.repetitions >= maxRetries) {
                        reject(job, "job_lost", failure);
                    } else {
                        repeat(job, "ask for", failure, () -> poll(job));
                    }
                });
    }

    private void onStatus(BatchJob<IN> job, JobStatus status) throws Exception {
        if (status.state().isFinal()) {
            fetch(job, status, 0, new JobResults<>(job.rows.size()));
            return;
        }
        if (status.state() == JobState.UNKNOWN && !job.unknownWordLogged) {
            job.unknownWordLogged = true;
            LOG.warn(
                    "The Batch API says '{}' of {}, which is taken for 'in progress'",
                    status.word(),
                    job);
        }
        long ran = job.ranMillis(steps.nanos());
        if (ran >= 2 * maxWaitMillis) {
            LOG.warn("Gives {} up, which did not end when it was cancelled", job);
            finish(job, JobState.CANCELLED, new JobResults<>(job.rows.size()), "max_wait");
        } else if (ran >= maxWaitMillis && !job.cancelRequested) {
            cancel(job);
        } else {
            double jitter = 1 + POLL_JITTER * (2 * random.nextDouble() - 1);
            long delay = Math.max(1, (long) (pollMillis * jitter));
            steps.after(Math.max(delay, status.retryAfterMillis()), () -> poll(job));
        }
    }

    private void cancel(BatchJob<IN> job) {
        job.cancelRequested = true;
        steps.run(
                () -> api.cancel(job.jobId),
                status -> onStatus(job, status),
                failure -> {
                    if (kindOf(failure) == BatchApiException.Kind.FATAL) {
                        fail(job, "cancel", failure);
                    } else {
                        // It may have ended meanwhile, which the next poll tells.
                        job.cancelRequested = false;
                        steps.after(pollMillis, () -> poll(job));
                    }
                });
    }

    private void fetch(BatchJob<IN> job, JobStatus status, int index, JobResults<OUT> results)
            throws Exception {
        if (index == status.resultFiles().size()) {
            fetched(job, status, results);
            return;
        }
        steps.run(
                () -> files.fetch(status.resultFiles().get(index), job, results),
                done -> fetch(job, status, index + 1, results),
                failure -> {
                    if (kindOf(failure) == BatchApiException.Kind.REJECTED) {
                        LOG.warn("Cannot have results of {}: {}", job, failure.getMessage());
                        fetched(job, status, results);
                    } else {
                        repeat(
                                job,
                                "fetch the results of",
                                failure,
                                () -> fetch(job, status, 0, new JobResults<>(job.rows.size())));
                    }
                });
    }

    private void fetched(BatchJob<IN> job, JobStatus status, JobResults<OUT> results)
            throws Exception {
        boolean missing = status.state() == JobState.COMPLETED && !results.isComplete();
        if (missing || !results.isClean()) {
            LOG.warn("The results of {} are not as they should be: {}", job, results);
        }
        if ((missing || results.unreadableLines() > 0) && job.fetches < MOST_REFETCHES) {
            job.fetches++;
            metrics.retries.inc();
            steps.after(callBackoff.beforeRepetition(job.fetches, 0), () -> poll(job));
            return;
        }
        String restCode =
                switch (status.state()) {
                    case EXPIRED -> "batch_expired";
                    case CANCELLED -> job.cancelRequested ? "max_wait" : "batch_cancelled";
                    case FAILED ->
                            status.errorCode().isEmpty() ? "batch_failed" : status.errorCode();
                    default -> "no_result";
                };
        finish(job, status.state(), results, restCode);
    }

    private void reject(BatchJob<IN> job, String code, Throwable failure) throws Exception {
        LOG.warn("The Batch API refused {}: {}", job, failure.getMessage());
        files.remove(job);
        finish(job, JobState.FAILED, new JobResults<>(job.rows.size()), code);
    }

    private void finish(BatchJob<IN> job, JobState state, JobResults<OUT> results, String restCode)
            throws Exception {
        (state == JobState.COMPLETED ? metrics.completed : metrics.failed).inc();
        if (job.jobId != null) {
            metrics.latencyMs.update(job.ranMillis(steps.nanos()));
        }
        jobs.remove(job);
        setInFlight(inFlight - 1);
        listener.onFinished(job, results, restCode);
        startQueued();
    }

    // --------------------------------------------------------------- failures

    private void repeat(
            BatchJob<IN> job, String what, Throwable failure, ThrowingRunnable<Exception> again)
            throws Exception {
        boolean passing =
                failure instanceof BatchApiException apiFailure
                        && apiFailure.kind() != BatchApiException.Kind.FATAL;
        if (!passing || job.repetitions >= maxRetries) {
            fail(job, what, failure);
            return;
        }
        job.repetitions++;
        metrics.retries.inc();
        long least = ((BatchApiException) failure).retryAfterMillis();
        LOG.debug("Will again {} {}: {}", what, job, failure.getMessage());
        steps.after(callBackoff.beforeRepetition(job.repetitions, least), again);
    }

    private void fail(BatchJob<IN> job, String what, Throwable failure) throws Exception {
        listener.onFailure(
                new IOException(
                        "Could not "
                                + what
                                + " "
                                + job
                                + (job.repetitions == 0
                                        ? ""
                                        : " after " + job.repetitions + " repetitions")
                                + ": "
                                + failure.getMessage(),
                        failure));
    }

    private static BatchApiException.Kind kindOf(Throwable failure) {
        return failure instanceof BatchApiException apiFailure
                ? apiFailure.kind()
                : BatchApiException.Kind.FATAL;
    }
}
