package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.arrow.BridgeAllocator;
import io.asyncbatch.flink.worker.memory.SharedMemory;
import java.util.function.BooleanSupplier;
import java.util.function.ToLongFunction;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;

/**
 * What the batches between an operator and its worker process take, listed in {@code
 * docs/metrics.md}. Stateless; Flink's reporters read from threads of their own.
 */
final class TransportMetrics {

    private TransportMetrics() {}

    /**
     * @param reports whether this group is the one that shows them; the figures of others are 0, so
     *     that a sum counts nothing twice
     */
    static void register(
            MetricGroup group,
            BridgeAllocator allocator,
            BatchTransport<?, ?> transport,
            BooleanSupplier reports) {
        gauge(group, "directMemoryBytes", reports, allocator::allocatedBytes);
        gauge(group, "batchesAwaitingMemory", reports, () -> (long) transport.awaitingMemory());
        gauge(group, "sharedMemoryBytes", reports, () -> of(transport, SharedMemory::takenBytes));
        gauge(
                group,
                "sharedMemoryLimitBytes",
                reports,
                () -> of(transport, SharedMemory::capacityBytes));
        gauge(
                group,
                "batchesInSharedMemory",
                reports,
                () -> of(transport, SharedMemory::sharedBatches));
    }

    private static long of(BatchTransport<?, ?> transport, ToLongFunction<SharedMemory> figure) {
        return transport.sharedMemory().map(figure::applyAsLong).orElse(0L);
    }

    private static void gauge(
            MetricGroup group, String name, BooleanSupplier reports, Gauge<Long> gauge) {
        Gauge<Long> shown = () -> reports.getAsBoolean() ? gauge.getValue() : 0L;
        group.gauge(name, shown);
    }
}
