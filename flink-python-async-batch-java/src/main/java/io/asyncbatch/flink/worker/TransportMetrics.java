package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.arrow.BridgeAllocator;
import io.asyncbatch.flink.worker.memory.SharedMemory;
import java.util.function.BooleanSupplier;
import java.util.function.ToLongFunction;
import javax.annotation.Nullable;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;

/**
 * What the batches between an operator and its worker process take, and how the worker is, listed
 * in {@code docs/metrics.md}. They are those of the present worker: others may follow it.
 * Thread-safe; Flink's reporters read from threads of their own.
 */
final class TransportMetrics {

    private static final long NANOS_PER_MILLI = 1_000_000;

    /** Of a worker that has become ready and is not known to have died. */
    private volatile boolean ready;

    /** From a worker's death until another is ready, or for ever where none follows it. */
    private volatile boolean restarting;

    /** Whether the worker that started last has died. Guarded by this object's lock. */
    private boolean dead;

    private volatile long warmUpMillis;
    private volatile long restarts;
    @Nullable private volatile Travel travel;

    private record Travel(BridgeAllocator allocator, BatchTransport<?, ?> transport) {}

    /**
     * Registers them. To be called once.
     *
     * @param reports whether this group is the one that shows them; the figures of others are 0, so
     *     that a sum counts nothing twice
     */
    void register(MetricGroup group, BooleanSupplier reports) {
        gauge(group, "directMemoryBytes", reports, travel -> travel.allocator.allocatedBytes());
        gauge(
                group,
                "batchesAwaitingMemory",
                reports,
                travel -> (long) travel.transport.awaitingMemory());
        gauge(group, "sharedMemoryBytes", reports, of(SharedMemory::takenBytes));
        gauge(group, "sharedMemoryLimitBytes", reports, of(SharedMemory::capacityBytes));
        gauge(group, "batchesInSharedMemory", reports, of(SharedMemory::sharedBatches));
        Gauge<Integer> readiness = () -> reports.getAsBoolean() && ready ? 1 : 0;
        Gauge<Long> warmUp = () -> reports.getAsBoolean() ? warmUpMillis : 0L;
        Gauge<Long> restarted = () -> reports.getAsBoolean() ? restarts : 0L;
        Gauge<Integer> replacement = () -> reports.getAsBoolean() && restarting ? 1 : 0;
        group.gauge("workerReady", readiness);
        group.gauge("workerRestarting", replacement);
        group.gauge("workerWarmUpMs", warmUp);
        group.gauge("workerRestarts", restarted);
    }

    private static ToLongFunction<Travel> of(ToLongFunction<SharedMemory> figure) {
        return travel -> travel.transport.sharedMemory().map(figure::applyAsLong).orElse(0L);
    }

    private void gauge(
            MetricGroup group,
            String name,
            BooleanSupplier reports,
            ToLongFunction<Travel> figure) {
        Gauge<Long> shown =
                () -> {
                    Travel present = travel;
                    return present != null && reports.getAsBoolean()
                            ? figure.applyAsLong(present)
                            : 0L;
                };
        group.gauge(name, shown);
    }

    /** A worker is about to start. */
    synchronized void starting(BridgeAllocator allocator, BatchTransport<?, ?> transport) {
        dead = false;
        travel = new Travel(allocator, transport);
    }

    /** It became ready, this long after it began to start; it may have died since. */
    synchronized void ready(long nanos) {
        warmUpMillis = nanos / NANOS_PER_MILLI;
        restarting = dead;
        ready = !dead;
    }

    /** It died, or can be used no more. */
    synchronized void died() {
        dead = true;
        ready = false;
        restarting = true;
    }

    /** It was closed. Another is started in its place only if it had died. */
    synchronized void closed() {
        ready = false;
    }

    /** A worker became ready in the place of one that died. Called by one thread. */
    void restarted() {
        restarts = restarts + 1;
    }
}
