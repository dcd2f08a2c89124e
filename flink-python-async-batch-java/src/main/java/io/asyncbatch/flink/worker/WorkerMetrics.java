package io.asyncbatch.flink.worker;

import java.util.List;
import javax.annotation.Nullable;
import org.apache.beam.model.pipeline.v1.MetricsApi.MonitoringInfo;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.python.metric.process.FlinkMetricContainer;

/**
 * The metrics of an operator with workers of its own, which follow each other: they are registered
 * once, and go on with the next worker. Thread-safe.
 */
final class WorkerMetrics {

    private final TransportMetrics transport = new TransportMetrics();
    @Nullable private volatile FlinkMetricContainer function;

    /** Registers what is not yet. */
    synchronized void register(MetricGroup group) {
        if (function == null) {
            transport.register(group, () -> true);
            function = new FlinkMetricContainer(group);
        }
    }

    TransportMetrics transport() {
        return transport;
    }

    /** What the user's function has measured. Called by one thread at a time. */
    void measured(String transform, List<MonitoringInfo> infos) {
        function.updateMetrics(transform, infos);
    }
}
