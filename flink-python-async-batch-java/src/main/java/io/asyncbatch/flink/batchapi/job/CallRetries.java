package io.asyncbatch.flink.batchapi.job;

import io.asyncbatch.flink.batchapi.client.Backoff;
import io.asyncbatch.flink.batchapi.client.BatchApiException;
import java.io.IOException;
import org.apache.flink.util.function.ThrowingConsumer;
import org.apache.flink.util.function.ThrowingRunnable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides what becomes of a job's call that failed: once more, or the end of all. Owned by the
 * mailbox thread.
 */
final class CallRetries {

    private static final Logger LOG = LoggerFactory.getLogger(CallRetries.class);

    private final Steps steps;
    private final Backoff backoff;
    private final int most;
    private final BatchJobMetrics metrics;
    private final ThrowingConsumer<Exception, Exception> failed;

    /**
     * @param most repetitions of a step of a job
     * @param failed told when nothing can go on
     */
    CallRetries(
            Steps steps,
            Backoff backoff,
            int most,
            BatchJobMetrics metrics,
            ThrowingConsumer<Exception, Exception> failed) {
        this.steps = steps;
        this.backoff = backoff;
        this.most = most;
        this.metrics = metrics;
        this.failed = failed;
    }

    /** Whether no repetition of the job's step is left. */
    boolean exhausted(BatchJob<?> job) {
        return job.repetitions >= most;
    }

    /** Has a call made once more later, unless that is in vain. */
    void repeat(BatchJob<?> job, String what, Throwable failure, ThrowingRunnable<Exception> again)
            throws Exception {
        boolean passing =
                failure instanceof BatchApiException apiFailure
                        && apiFailure.kind() != BatchApiException.Kind.FATAL;
        if (!passing || exhausted(job)) {
            fail(job, what, failure);
            return;
        }
        job.repetitions++;
        metrics.retries.inc();
        long least = ((BatchApiException) failure).retryAfterMillis();
        LOG.debug("Will again {} {}: {}", what, job, failure.getMessage());
        steps.after(backoff.beforeRepetition(job.repetitions, least), again);
    }

    void fail(BatchJob<?> job, String what, Throwable failure) throws Exception {
        failed.accept(
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

    /** How bad a failure is; one that is not the API's own is the worst. */
    static BatchApiException.Kind kindOf(Throwable failure) {
        return failure instanceof BatchApiException apiFailure
                ? apiFailure.kind()
                : BatchApiException.Kind.FATAL;
    }
}
