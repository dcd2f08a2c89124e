package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.arrow.BridgeAllocator;
import io.asyncbatch.flink.worker.memory.SharedMemory;
import java.util.function.ToLongFunction;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;

/**
 * What the batches between an operator and its worker process take, listed in {@code
 * docs/metrics.md}. Stateless; Flink's reporters read from threads of their own.
 */
final class TransportMetrics {

    private TransportMetrics() {}

    static void register(
            MetricGroup group, BridgeAllocator allocator, BatchExchange<?, ?> exchange) {
        gauge(group, "directMemoryBytes", allocator::allocatedBytes);
        gauge(group, "batchesAwaitingMemory", () -> (long) exchange.awaitingMemory());
        gauge(group, "sharedMemoryBytes", () -> of(exchange, SharedMemory::takenBytes));
        gauge(group, "sharedMemoryLimitBytes", () -> of(exchange, SharedMemory::capacityBytes));
        gauge(group, "batchesInSharedMemory", () -> of(exchange, SharedMemory::sharedBatches));
    }

    private static long of(BatchExchange<?, ?> exchange, ToLongFunction<SharedMemory> figure) {
        return exchange.sharedMemory().map(figure::applyAsLong).orElse(0L);
    }

    private static void gauge(MetricGroup group, String name, Gauge<Long> gauge) {
        group.gauge(name, gauge);
    }
}
