package io.asyncbatch.flink.sidecar;

import static io.asyncbatch.flink.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.streaming.api.datastream.AsyncDataStream.OutputMode;
import org.apache.flink.streaming.api.operators.async.AsyncWaitOperatorFactory;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a checkpoint of Flink's operator does to requests in flight. */
@Timeout(60)
class SidecarDrainTest {

    @TempDir Path directory;
    private MockSidecar server;

    @BeforeEach
    void start() throws Exception {
        server = MockSidecar.onUnixSocket(directory.resolve("s"));
        server.hold();
    }

    @AfterEach
    void stop() throws Exception {
        server.close();
    }

    private OneInputStreamOperatorTestHarness<Long, Long> withTwoInFlight(boolean drains)
            throws Exception {
        var harness =
                new OneInputStreamOperatorTestHarness<>(
                        new AsyncWaitOperatorFactory<>(
                                new GpuSidecarAsyncFunction<>(
                                        server.options()
                                                .maxInFlight(1)
                                                .drainAtCheckpoint(drains)
                                                .build(),
                                        new LongCodec()),
                                TimeUnit.MINUTES.toMillis(1),
                                10,
                                OutputMode.ORDERED),
                        LongSerializer.INSTANCE);
        harness.setup(LongSerializer.INSTANCE);
        harness.open();
        harness.processElement(new StreamRecord<>(1L));
        harness.processElement(new StreamRecord<>(2L));
        await().until(() -> server.openRequests() == 1);
        return harness;
    }

    @Test
    void requestsInFlightAreInTheState() throws Exception {
        try (var harness = withTwoInFlight(false)) {
            harness.snapshot(1, 1);
            assertThat(server.openRequests()).isEqualTo(1);
        }
    }

    @Test
    void aCheckpointWaitsForThemIfAskedTo() throws Exception {
        try (var harness = withTwoInFlight(true)) {
            Thread task = Thread.currentThread();
            CompletableFuture<Void> release =
                    CompletableFuture.runAsync(
                            () -> {
                                await().until(() -> task.getState() == Thread.State.TIMED_WAITING);
                                server.release();
                            });
            harness.snapshot(1, 1);
            assertThat(server.inferences).hasSize(2);
            assertThat(server.openRequests()).isZero();
            release.get(30, TimeUnit.SECONDS);
        }
    }
}
