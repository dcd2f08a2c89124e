package io.asyncbatch.flink.worker;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.arrow.BridgeAllocator;
import io.asyncbatch.flink.arrow.SharedRegions.Region;
import io.asyncbatch.flink.metrics.DocumentedMetrics;
import io.asyncbatch.flink.worker.memory.MappedFiles;
import io.asyncbatch.flink.worker.memory.SharedMemory;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Metric;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TransportMetricsTest {

    private final AtomicBoolean reports = new AtomicBoolean();
    private final Map<String, Metric> metrics = new HashMap<>();
    private final BridgeAllocator allocator = new BridgeAllocator("test", Long.MAX_VALUE);
    private final BatchExchange<Long, Long> exchange =
            new BatchExchange<>(
                    "Double",
                    Types.LONG,
                    Types.LONG,
                    allocator,
                    new WorkerLimits(60_000, 4_096, 8_192, 1, null));

    private final UnregisteredMetricsGroup group =
            new UnregisteredMetricsGroup() {
                @Override
                public <T, G extends Gauge<T>> G gauge(String name, G gauge) {
                    metrics.put(name, gauge);
                    return gauge;
                }
            };

    @TempDir Path temporary;

    @Test
    void registersWhatIsDocumentedAndSaysWhatIsTaken() throws Exception {
        TransportMetrics transport = new TransportMetrics();
        transport.register(group, reports::get);
        assertThat(DocumentedMetrics.under("The worker process", metrics))
                .isEqualTo(metrics.keySet());
        reports.set(true);
        assertThat(metrics.keySet()).allSatisfy(name -> assertThat(value(name)).isZero());
        transport.starting(allocator, exchange.transport());
        assertThat(metrics.keySet()).allSatisfy(name -> assertThat(value(name)).isZero());

        try (SharedMemory memory = new MappedFiles(temporary, 8_192).map(1)) {
            exchange.share(memory);
            Region region = memory.take(100);
            assertThat(value("sharedMemoryBytes")).isEqualTo(4_096);
            assertThat(value("sharedMemoryLimitBytes")).isEqualTo(8_192);
            assertThat(value("batchesInSharedMemory")).isOne();
            reports.set(false);
            assertThat(metrics.keySet()).allSatisfy(name -> assertThat(value(name)).isZero());
            reports.set(true);
            region.giveBack();
            assertThat(value("sharedMemoryBytes")).isZero();
        }
        transport.ready(3_500_000);
        assertThat(value("workerReady")).isOne();
        assertThat(value("workerWarmUpMs")).isEqualTo(3);
        transport.died();
        assertThat(value("workerReady")).isZero();
        assertThat(value("workerRestarting")).isOne();
        transport.starting(allocator, exchange.transport());
        assertThat(value("workerRestarting")).isOne();
        transport.ready(4_000_000);
        transport.restarted();
        assertThat(value("workerRestarting")).isZero();
        assertThat(value("workerRestarts")).isOne();
        BufferAllocator receive = allocator.child("receive", 1_000);
        try (ArrowBuf buffer = receive.buffer(512)) {
            assertThat(value("directMemoryBytes")).isEqualTo(buffer.capacity());
        }
        exchange.close();
        allocator.close();
    }

    /** Who opened it may be slower than its death. */
    @Test
    void aWorkerThatDiedAsItBecameReadyIsNotReady() throws Exception {
        WorkerMetrics workers = new WorkerMetrics();
        workers.register(group);
        workers.transport().died();
        workers.transport().ready(1);
        processInvoker(workers).close();
        assertThat(value("workerReady")).isZero();
        assertThat(value("workerRestarting")).isOne();
    }

    @Test
    void aWorkerThatWasClosedIsNotReplaced() throws Exception {
        WorkerMetrics workers = new WorkerMetrics();
        workers.register(group);
        workers.transport().ready(1);
        processInvoker(workers).close();
        assertThat(value("workerReady")).isZero();
        assertThat(value("workerRestarting")).isZero();
    }

    @Test
    void aWorkerThatDiedIsReplacedAlsoOnceItIsCleanedUp() throws Exception {
        WorkerMetrics workers = new WorkerMetrics();
        workers.register(group);
        workers.transport().ready(1);
        workers.transport().died();
        processInvoker(workers).close();
        assertThat(value("workerReady")).isZero();
        assertThat(value("workerRestarting")).isOne();
    }

    private static PythonProcessInvoker<Long, Long> processInvoker(WorkerMetrics metrics) {
        return new PythonProcessInvoker<>(
                new PythonFunction("Double", new byte[0], new byte[0]),
                Types.LONG,
                Types.LONG,
                new Configuration(),
                new WorkerLimits(1, 1, 1, 1, null),
                metrics);
    }

    private long value(String name) {
        return ((Number) ((Gauge<?>) metrics.get(name)).getValue()).longValue();
    }
}
