package io.asyncbatch.flink.batchapi.job;

import io.asyncbatch.flink.batchapi.client.BatchApi;
import io.asyncbatch.flink.batchapi.client.BatchApiException;
import io.asyncbatch.flink.batchapi.client.JobRequest;
import io.asyncbatch.flink.batchapi.client.JobStatus;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes a job from its rows until the API has it: looked for, written, uploaded, created. Owned by
 * the mailbox thread.
 *
 * @param <IN> type of the inputs
 */
final class JobSubmission<IN> {

    private static final Logger LOG = LoggerFactory.getLogger(JobSubmission.class);

    private final BatchApi api;
    private final JobFiles<IN, ?> files;
    private final Steps steps;
    private final JobSearch<IN> search;
    private final CallRetries retries;
    private final BatchJobMetrics metrics;
    private final End<IN> end;

    /** What comes after. */
    interface End<IN> {

        /** The API has the job. */
        void created(BatchJob<IN> job, JobStatus status) throws Exception;

        /** The API does not want the job. */
        void rejected(BatchJob<IN> job, String code, Throwable failure) throws Exception;
    }

    JobSubmission(
            BatchApi api,
            JobFiles<IN, ?> files,
            Steps steps,
            JobSearch<IN> search,
            CallRetries retries,
            BatchJobMetrics metrics,
            End<IN> end) {
        this.api = api;
        this.files = files;
        this.steps = steps;
        this.search = search;
        this.retries = retries;
        this.metrics = metrics;
        this.end = end;
    }

    void start(BatchJob<IN> job) throws Exception {
        if (job.mayExist) {
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
                    failure -> retries.fail(job, "write the requests of", failure));
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
                    if (CallRetries.kindOf(failure) == BatchApiException.Kind.REJECTED) {
                        rejected(job, "file_rejected", failure);
                    } else {
                        retries.repeat(job, "upload the file of", failure, () -> send(job));
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
                    if (CallRetries.kindOf(failure) == BatchApiException.Kind.REJECTED) {
                        rejected(job, "job_rejected", failure);
                    } else {
                        // The answer may have been lost on its way back.
                        retries.repeat(job, "create", failure, () -> lookUp(job));
                    }
                });
    }

    private void created(BatchJob<IN> job, JobStatus status) throws Exception {
        files.remove(job);
        job.jobId = status.jobId();
        job.mayExist = false;
        job.repetitions = 0;
        end.created(job, status);
    }

    private void rejected(BatchJob<IN> job, String code, Throwable failure) throws Exception {
        files.remove(job);
        end.rejected(job, code, failure);
    }
}
