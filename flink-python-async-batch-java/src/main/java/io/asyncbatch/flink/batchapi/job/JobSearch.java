package io.asyncbatch.flink.batchapi.job;

import io.asyncbatch.flink.batchapi.client.Backoff;
import io.asyncbatch.flink.batchapi.client.BatchApi;
import io.asyncbatch.flink.batchapi.client.BatchApiException;
import io.asyncbatch.flink.batchapi.client.JobPage;
import io.asyncbatch.flink.batchapi.client.JobStatus;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import javax.annotation.Nullable;
import org.apache.flink.util.function.ThrowingConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks for jobs by their keys in the provider's list, for any number of them at once. Owned by the
 * mailbox thread. A page that cannot be had is asked for again, not the whole list.
 *
 * @param <IN> type of the inputs
 */
final class JobSearch<IN> {

    private static final Logger LOG = LoggerFactory.getLogger(JobSearch.class);

    /** By how much the API's clock may be behind, or this machine's ahead. */
    private static final Duration CLOCK_TOLERANCE = Duration.ofDays(1);

    /** Within a list of so many pages the search itself would be the problem. */
    private static final int MOST_PAGES = 1_000;

    private final BatchApi api;
    private final Steps steps;
    private final Backoff backoff;
    private final int maxRetries;
    private final BatchJobMetrics metrics;
    private final ThrowingConsumer<Exception, Exception> failed;

    /** A job that is looked for, and who wants to know. */
    private record Wanted<IN>(
            BatchJob<IN> job, ThrowingConsumer<Optional<JobStatus>, Exception> then) {}

    /** For the next walk through the list: what is new in it may be behind this one. */
    private final List<Wanted<IN>> waiting = new ArrayList<>();

    private final Map<String, Wanted<IN>> wanted = new HashMap<>();
    private boolean walking;
    private int repetitions;

    JobSearch(
            BatchApi api,
            Steps steps,
            Backoff backoff,
            int maxRetries,
            BatchJobMetrics metrics,
            ThrowingConsumer<Exception, Exception> failed) {
        this.api = api;
        this.steps = steps;
        this.backoff = backoff;
        this.maxRetries = maxRetries;
        this.metrics = metrics;
        this.failed = failed;
    }

    /**
     * @param then told what the provider says about the job, if it has it
     */
    void find(BatchJob<IN> job, ThrowingConsumer<Optional<JobStatus>, Exception> then)
            throws Exception {
        if (!api.listsJobs()) {
            then.accept(Optional.empty());
            return;
        }
        waiting.add(new Wanted<>(job, then));
        walk();
    }

    private void walk() {
        if (walking || waiting.isEmpty()) {
            return;
        }
        walking = true;
        long oldest = Long.MAX_VALUE;
        for (Wanted<IN> next : waiting) {
            wanted.put(next.job.key, next);
            oldest = Math.min(oldest, next.job.closedAtMillis);
        }
        waiting.clear();
        read(null, 1, oldest - CLOCK_TOLERANCE.toMillis());
    }

    private void read(@Nullable String cursor, int number, long oldestMillis) {
        steps.run(
                () -> api.list(cursor),
                page -> {
                    repetitions = 0;
                    boolean past = false;
                    for (JobPage.Listed listed : page.jobs()) {
                        past |= listed.createdAtMillis() < oldestMillis;
                        Wanted<IN> found = wanted.remove(listed.key());
                        if (found != null) {
                            found.then.accept(Optional.of(listed.status()));
                        }
                    }
                    boolean over = page.next() == null || past || number == MOST_PAGES;
                    if (wanted.isEmpty() || over) {
                        end();
                    } else {
                        read(page.next(), number + 1, oldestMillis);
                    }
                },
                failure -> onFailure(cursor, number, oldestMillis, failure));
    }

    private void onFailure(
            @Nullable String cursor, int number, long oldestMillis, Throwable failure)
            throws Exception {
        if (!(failure instanceof BatchApiException apiFailure)
                || apiFailure.kind() == BatchApiException.Kind.FATAL
                || repetitions >= maxRetries) {
            failed.accept(
                    new IOException(
                            "Could not list the Batch API's jobs after "
                                    + repetitions
                                    + " repetitions: "
                                    + failure.getMessage(),
                            failure));
            return;
        }
        if (apiFailure.kind() == BatchApiException.Kind.REJECTED) {
            LOG.warn(
                    "This Batch API does not list its jobs, so some may exist already: {}",
                    failure.getMessage());
            end();
            return;
        }
        repetitions++;
        metrics.retries.inc();
        steps.after(
                backoff.beforeRepetition(repetitions, apiFailure.retryAfterMillis()),
                () -> read(cursor, number, oldestMillis));
    }

    private void end() throws Exception {
        List<Wanted<IN>> missing = List.copyOf(wanted.values());
        wanted.clear();
        for (Wanted<IN> one : missing) {
            one.then.accept(Optional.empty());
        }
        walking = false;
        walk();
    }
}
