package io.asyncbatch.flink.batchapi.job;

import java.util.function.IntSupplier;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.metrics.DescriptiveStatisticsHistogram;

/**
 * The metrics of one operator that uses a Batch API, listed in {@code docs/metrics.md}. Updated by
 * the mailbox thread alone.
 */
@Internal
public final class BatchJobMetrics {

    private static final int HISTOGRAM_WINDOW = 1_000;

    final Counter submitted;
    final Counter completed;
    final Counter failed;
    final Counter adopted;
    final Counter polls;
    final Counter retries;
    private final Counter rowsResubmitted;
    private final Counter rowsFailed;
    final Histogram latencyMs;
    final Histogram recordsPerJob;
    private final Counter inputHeldTimeMs;
    private long inputHeldNanos;

    /**
     * @param inFlight jobs that hold one of the places, read by the reporters' threads
     */
    public BatchJobMetrics(MetricGroup group, IntSupplier inFlight) {
        submitted = group.counter("batch.jobs.submitted");
        completed = group.counter("batch.jobs.completed");
        failed = group.counter("batch.jobs.failed");
        adopted = group.counter("batch.jobs.adopted");
        polls = group.counter("batch.polls");
        retries = group.counter("batch.retries");
        rowsResubmitted = group.counter("batch.rows.resubmitted");
        rowsFailed = group.counter("batch.rows.failed");
        latencyMs = histogram(group, "batch.job.latency_ms");
        recordsPerJob = histogram(group, "batch.records_per_job");
        inputHeldTimeMs = group.counter("inputHeldTimeMs");
        Gauge<Integer> jobs = inFlight::getAsInt;
        group.gauge("batch.jobs.inflight", jobs);
    }

    public void rowsResubmitted(int rows) {
        rowsResubmitted.inc(rows);
    }

    public void rowFailed() {
        rowsFailed.inc();
    }

    /** Input was held back for this long, as all places were taken. */
    public void inputHeld(long nanos) {
        inputHeldNanos += nanos;
        inputHeldTimeMs.inc(inputHeldNanos / 1_000_000 - inputHeldTimeMs.getCount());
    }

    private static Histogram histogram(MetricGroup group, String name) {
        return group.histogram(name, new DescriptiveStatisticsHistogram(HISTOGRAM_WINDOW));
    }
}
