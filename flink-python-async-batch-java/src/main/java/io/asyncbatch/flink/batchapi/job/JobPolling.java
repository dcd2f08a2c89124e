package io.asyncbatch.flink.batchapi.job;

import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.batchapi.client.Backoff;
import io.asyncbatch.flink.batchapi.client.BatchApi;
import io.asyncbatch.flink.batchapi.client.BatchApiException;
import io.asyncbatch.flink.batchapi.client.JobState;
import io.asyncbatch.flink.batchapi.client.JobStatus;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes a job that the API has to its results: asked for until it has ended, cancelled when that
 * takes too long, its files fetched. Owned by the mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
final class JobPolling<IN, OUT> {

    private static final Logger LOG = LoggerFactory.getLogger(JobPolling.class);

    /** How often files that do not hold what they should are fetched again. */
    private static final int MOST_REFETCHES = 2;

    private static final double POLL_JITTER = 0.2;

    private final BatchApi api;
    private final JobFiles<IN, OUT> files;
    private final Steps steps;
    private final CallRetries retries;
    private final Backoff refetchBackoff;
    private final BatchJobMetrics metrics;
    private final RandomGenerator random;
    private final long pollMillis;
    private final long maxWaitMillis;
    private final End<IN, OUT> end;

    /** What comes after. */
    interface End<IN, OUT> {

        /**
         * @param restCode why rows that the results do not mention have none
         */
        void finished(BatchJob<IN> job, JobState state, JobResults<OUT> results, String restCode)
                throws Exception;

        /** The API does not know the job, again and again. */
        void rejected(BatchJob<IN> job, String code, Throwable failure) throws Exception;
    }

    JobPolling(
            BatchApi api,
            JobFiles<IN, OUT> files,
            Steps steps,
            CallRetries retries,
            Backoff refetchBackoff,
            BatchJobMetrics metrics,
            RandomGenerator random,
            BatchInferenceOptions options,
            End<IN, OUT> end) {
        this.api = api;
        this.files = files;
        this.steps = steps;
        this.retries = retries;
        this.refetchBackoff = refetchBackoff;
        this.metrics = metrics;
        this.random = random;
        this.pollMillis = options.get(BatchInferenceOptions.POLL_INTERVAL).toMillis();
        this.maxWaitMillis = options.get(BatchInferenceOptions.MAX_WAIT).toMillis();
        this.end = end;
    }

    /** Goes on with a job that was created at some time. */
    void resume(BatchJob<IN> job) {
        job.runningSinceNanos = steps.nanos();
        poll(job);
    }

    /** Begins with a job that was created, or found, just now. */
    void begin(BatchJob<IN> job, JobStatus status) throws Exception {
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
                    if (CallRetries.kindOf(failure) == BatchApiException.Kind.REJECTED
                            && retries.exhausted(job)) {
                        end.rejected(job, "job_lost", failure);
                    } else {
                        retries.repeat(job, "ask for", failure, () -> poll(job));
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
            end.finished(job, JobState.CANCELLED, new JobResults<>(job.rows.size()), "max_wait");
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
                    if (CallRetries.kindOf(failure) == BatchApiException.Kind.FATAL) {
                        retries.fail(job, "cancel", failure);
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
                    if (CallRetries.kindOf(failure) == BatchApiException.Kind.REJECTED) {
                        LOG.warn("Cannot have results of {}: {}", job, failure.getMessage());
                        fetched(job, status, results);
                    } else {
                        retries.repeat(
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
            steps.after(refetchBackoff.beforeRepetition(job.fetches, 0), () -> poll(job));
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
        end.finished(job, status.state(), results, restCode);
    }
}
