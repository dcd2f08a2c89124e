package io.asyncbatch.flink.operator.trace;

import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import java.util.Locale;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.util.clock.Clock;

/**
 * Begins the traces of one operator's batches. Owned by the mailbox thread. What a batch costs that
 * has no span is one comparison.
 */
@Internal
public final class BatchTraces {

    private final TraceSampling sampling;
    private final MetricGroup group;
    private final Clock clock;
    private final String ordering;
    private final boolean on;

    /**
     * @param group the operator's, which has the reporters and the names of job, task and operator
     */
    public BatchTraces(
            TraceSampling sampling, MetricGroup group, Clock clock, OutputMode outputMode) {
        this.sampling = sampling;
        this.group = group;
        this.clock = clock;
        this.ordering = outputMode.name().toLowerCase(Locale.ROOT);
        this.on = sampling.isOn();
    }

    /** Whether any batch has a span. */
    public boolean areOn() {
        return on;
    }

    /**
     * A batch got its slot.
     *
     * @param openedNanos when its first row came, by the monotonic clock
     * @param closedNanos when it took its last
     */
    public BatchTrace begin(
            long batchId, int rows, long bytes, long openedNanos, long closedNanos) {
        return on && sampling.includes(batchId)
                ? new SampledBatch(
                        group,
                        clock,
                        new SampledBatch.Facts(
                                batchId, rows, bytes, ordering, openedNanos, closedNanos))
                : BatchTrace.NONE;
    }
}
