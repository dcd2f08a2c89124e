package io.asyncbatch.flink.sidecar;

import static io.asyncbatch.flink.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.util.internal.PlatformDependent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Threads, descriptors and memory after much has happened. */
@Timeout(120)
class LeakTest {

    private static final int RECONNECTS = 1_000;

    @TempDir Path directory;
    private MockSidecar server;
    private FaultyProxy proxy;

    @BeforeEach
    void start() throws Exception {
        server = MockSidecar.onTcp();
        proxy = new FaultyProxy(server.port());
    }

    @AfterEach
    void stop() throws Exception {
        proxy.close();
        server.close();
    }

    private static long clientThreads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith("sidecar-client"))
                .count();
    }

    private static long threadsOfAProxysConnections() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("faulty-proxy"))
                .count();
    }

    private static long descriptors() throws Exception {
        try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
            return files.count();
        }
    }

    private ClientRig open() throws Exception {
        return ClientRig.open(SidecarOptions.builder(proxy.endpoint(), MockSidecar.MODEL));
    }

    @Test
    void aThousandReconnectsLeakNothing() throws Exception {
        try (ClientRig rig = open()) {
            rig.call(1L).get();
            long descriptors = descriptors();
            long memory = PlatformDependent.usedDirectMemory();
            for (int connection = 2; connection <= RECONNECTS + 1; connection++) {
                int expected = connection;
                proxy.reset();
                while (proxy.connections.get() < expected) {
                    rig.call(1L).results.handle((results, failure) -> null).get();
                }
            }
            await().ignoreExceptions().until(() -> !rig.call(1L).get().isEmpty());
            assertThat(rig.counter("reconnects")).isGreaterThanOrEqualTo(RECONNECTS);
            assertThat(clientThreads()).isLessThanOrEqualTo(2);
            await().until(() -> descriptors() <= descriptors + 2);
            await().untilAsserted(
                            () ->
                                    assertThat(PlatformDependent.usedDirectMemory())
                                            .isLessThanOrEqualTo(memory));
            await().until(() -> rig.gauge("requestsInFlight") == 0);
        }
        await().until(() -> clientThreads() == 0);
    }

    @Test
    void clientsThatAreClosedLeaveNothing() throws Exception {
        open().close();
        await().until(() -> clientThreads() == 0);
        await().until(() -> threadsOfAProxysConnections() == 1);
        long descriptors = descriptors();
        server.hold();
        for (int client = 0; client < 20; client++) {
            try (ClientRig rig = open()) {
                int open = server.inferences.size() + 1;
                rig.call(1L);
                await().until(() -> server.inferences.size() == open);
            }
        }
        await().until(() -> clientThreads() == 0);
        proxy.reset();
        await().until(() -> descriptors() <= descriptors);
        await().until(() -> server.openRequests() == 0);
    }

    /** Memory of a client that is closed goes with the next garbage collection at the latest. */
    @Test
    void closedClientsGiveTheirMemoryBack() throws Exception {
        long before = settledMemory();
        for (int client = 0; client < 10; client++) {
            try (ClientRig rig = new ClientRig(server.options().build(), new LongCodec(100_000))) {
                rig.call(1L, 2L).get();
            }
        }
        await().untilAsserted(() -> assertThat(settledMemory()).isLessThanOrEqualTo(before));
    }

    private static long settledMemory() {
        System.gc();
        return PlatformDependent.usedDirectMemory();
    }
}
