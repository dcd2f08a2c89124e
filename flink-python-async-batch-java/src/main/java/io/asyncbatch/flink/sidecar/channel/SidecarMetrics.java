package io.asyncbatch.flink.sidecar.channel;

import io.asyncbatch.flink.sidecar.SidecarException;
import io.asyncbatch.flink.sidecar.SidecarException.Kind;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.ThreadSafeSimpleCounter;
import org.apache.flink.runtime.metrics.DescriptiveStatisticsHistogram;

/**
 * What one subtask's requests to its model server come to; see {@code docs/metrics.md}.
 * Thread-safe.
 */
@Internal
public final class SidecarMetrics {

    private static final int HISTOGRAM_WINDOW = 1_000;
    private static final long NANOS_PER_MILLI = 1_000_000;

    private final AtomicInteger inFlight = new AtomicInteger();
    private final Counter sent;
    private final Map<Kind, Counter> failures = new EnumMap<>(Kind.class);
    private final Histogram latencyMs;
    private final Counter bytesSent;
    private final Counter bytesReceived;
    private final Counter reconnects;
    private volatile LongSupplier sharedMemoryBytes = () -> 0;

    /**
     * @param group of the operator; the metrics are in a group {@code sidecar} of it
     */
    public SidecarMetrics(MetricGroup group) {
        MetricGroup sidecar = group.addGroup("sidecar");
        Gauge<Integer> requestsInFlight = inFlight::get;
        sidecar.gauge("requestsInFlight", requestsInFlight);
        sent = counter(sidecar, "requestsSent");
        for (Kind kind : Kind.values()) {
            failures.put(kind, counter(sidecar, nameOf(kind)));
        }
        latencyMs =
                sidecar.histogram(
                        "requestLatencyMs", new DescriptiveStatisticsHistogram(HISTOGRAM_WINDOW));
        bytesSent = counter(sidecar, "bytesSent");
        bytesReceived = counter(sidecar, "bytesReceived");
        reconnects = counter(sidecar, "reconnects");
        Gauge<Long> shared = () -> sharedMemoryBytes.getAsLong();
        sidecar.gauge("sharedMemoryBytes", shared);
    }

    private static Counter counter(MetricGroup group, String name) {
        return group.counter(name, new ThreadSafeSimpleCounter());
    }

    private static String nameOf(Kind kind) {
        return switch (kind) {
            case UNAVAILABLE -> "requestsFailedByUnavailable";
            case MODEL_NOT_FOUND -> "requestsFailedByModelNotFound";
            case INVALID_TENSOR -> "requestsFailedByInvalidTensor";
            case OVERLOADED -> "requestsFailedByOverloaded";
            case OUT_OF_MEMORY -> "requestsFailedByOutOfMemory";
            case DEADLINE_EXCEEDED -> "requestsFailedByDeadlineExceeded";
            case ACCESS_DENIED -> "requestsFailedByAccessDenied";
            case INTERNAL -> "requestsFailedByInternal";
        };
    }

    void requestStarted(long bytes) {
        inFlight.incrementAndGet();
        sent.inc();
        bytesSent.inc(bytes);
    }

    /** However it ended. */
    void requestEnded() {
        inFlight.decrementAndGet();
    }

    void requestAnswered(long nanos, long bytes) {
        // Flink's histogram takes one writer at a time.
        synchronized (latencyMs) {
            latencyMs.update(nanos / NANOS_PER_MILLI);
        }
        bytesReceived.inc(bytes);
    }

    void requestFailed(SidecarException failure) {
        failures.get(failure.kind()).inc();
    }

    void reconnected() {
        reconnects.inc();
    }

    /** Says from now on how much memory is shared. */
    void sharedMemory(LongSupplier bytes) {
        sharedMemoryBytes = bytes;
    }
}
