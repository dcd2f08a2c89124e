package io.asyncbatch.flink.sidecar;

import static io.asyncbatch.flink.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.AsyncBatchOptions;
import io.asyncbatch.flink.AsyncDataStream;
import io.asyncbatch.flink.Concurrency;
import io.asyncbatch.flink.ExponentialBackoffRetryStrategy;
import io.asyncbatch.flink.api.Jobs;
import io.grpc.Metadata;
import io.grpc.Status;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.async.CollectionSupplier;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Jobs from a source over a model server to a sink. */
@Timeout(120)
class SidecarJobITCase {

    @RegisterExtension static final MiniClusterExtension CLUSTER = Jobs.cluster(2);

    @TempDir Path directory;

    @Test
    void resultsOfSingleRecordsKeepTheirOrder() throws Exception {
        try (MockSidecar server = MockSidecar.onUnixSocket(directory.resolve("s"))) {
            assertThat(
                            Jobs.collect(
                                    AsyncDataStream.orderedWait(
                                                    Jobs.numbers(1, 500),
                                                    new GpuSidecarAsyncFunction<>(
                                                            server.options().build(),
                                                            new LongCodec()),
                                                    1,
                                                    TimeUnit.MINUTES,
                                                    50)
                                            .returns(Types.LONG)))
                    .isEqualTo(tens(500));
        }
    }

    @Test
    void resultsOfBatchesKeepTheirOrder() throws Exception {
        try (MockSidecar server = MockSidecar.onTcp()) {
            assertThat(
                            Jobs.collect(
                                    AsyncDataStream.orderedWaitBatch(
                                                    Jobs.numbers(1, 1_000),
                                                    new GpuSidecarAsyncBatchFunction<>(
                                                            server.options().build(),
                                                            new LongCodec()),
                                                    AsyncBatchOptions.builder(
                                                                    32, Duration.ofMinutes(1))
                                                            .build())
                                            .returns(Types.LONG)))
                    .isEqualTo(tens(1_000));
        }
    }

    /** What was in flight is sent again, what came meanwhile waits. */
    @Test
    void aServerThatIsRestartedInTheMiddleLosesNothing() throws Exception {
        Path socket = directory.resolve("s");
        AtomicReference<MockSidecar> server =
                new AtomicReference<>(MockSidecar.onUnixSocket(socket));
        server.get().behaviour =
                inference -> {
                    if (server.get().inferences.size() <= 10) {
                        inference.compute();
                    }
                };
        CompletableFuture<Void> restart =
                CompletableFuture.runAsync(
                        () -> {
                            try {
                                await().until(() -> server.get().inferences.size() > 12);
                                server.get().close();
                                server.set(MockSidecar.onUnixSocket(socket));
                            } catch (Exception e) {
                                throw new CompletionException(e);
                            }
                        });
        try {
            assertThat(
                            Jobs.collect(
                                    AsyncDataStream.orderedWaitBatchWithRetry(
                                                    Jobs.numbers(1, 400),
                                                    new GpuSidecarAsyncBatchFunction<>(
                                                            server.get().options().build(),
                                                            new LongCodec()),
                                                    AsyncBatchOptions.builder(
                                                                    4, Duration.ofMinutes(1))
                                                            .capacity(8)
                                                            .build(),
                                                    ExponentialBackoffRetryStrategy.<Long>builder(
                                                                    5, Duration.ofMillis(10))
                                                            .ifException(
                                                                    new SidecarRetryPredicate())
                                                            .build())
                                            .returns(Types.LONG)))
                    .isEqualTo(tens(400));
            restart.get(1, TimeUnit.MINUTES);
            assertThat(server.get().inferences).isNotEmpty();
        } finally {
            server.get().close();
        }
    }

    @Test
    void aFailureReachesTheClientAsWhatItIs() throws Exception {
        try (MockSidecar server = MockSidecar.onUnixSocket(directory.resolve("s"))) {
            server.behaviour =
                    inference ->
                            inference.fail(
                                    Status.NOT_FOUND.withDescription("unknown model"),
                                    new Metadata());
            Jobs.assertFailsWith(
                    "model 'times-ten' at unix://",
                    AsyncDataStream.orderedWait(
                                    Jobs.numbers(1, 5),
                                    function(server.options()),
                                    1,
                                    TimeUnit.MINUTES)
                            .returns(Types.LONG));
        }
    }

    @Test
    void aRecordThatDoesNotFitFailsTheJob() throws Exception {
        try (MockSidecar server = MockSidecar.onUnixSocket(directory.resolve("s"))) {
            Jobs.assertFailsWith(
                    "record must not be negative, got -1",
                    AsyncDataStream.orderedWait(
                                    Jobs.numbers(-1, -1),
                                    function(server.options()),
                                    1,
                                    TimeUnit.MINUTES)
                            .returns(Types.LONG));
        }
    }

    /** The server has memory for three rows. */
    @Test
    void aBatchThatTheServerHasNoMemoryForIsHalved() throws Exception {
        try (MockSidecar server = MockSidecar.onUnixSocket(directory.resolve("s"))) {
            server.behaviour =
                    inference -> {
                        if (inference.request.getInputs(0).getShape(0) <= 3) {
                            inference.compute();
                            return;
                        }
                        Metadata trailers = new Metadata();
                        trailers.put(
                                Metadata.Key.of(
                                        "asyncbatch-error", Metadata.ASCII_STRING_MARSHALLER),
                                "OUT_OF_MEMORY");
                        inference.fail(Status.RESOURCE_EXHAUSTED, trailers);
                    };
            assertThat(
                            Jobs.collect(
                                    AsyncDataStream.orderedWaitBatch(
                                                    Jobs.numbers(1, 100),
                                                    new GpuSidecarAsyncBatchFunction<>(
                                                            server.options().build(),
                                                            new LongCodec()),
                                                    AsyncBatchOptions.builder(
                                                                    32, Duration.ofMinutes(1))
                                                            .build())
                                            .returns(Types.LONG)))
                    .isEqualTo(tens(100));
        }
    }

    /** Not by the batch alone that was told to, but by all. */
    @Test
    void aServerThatSaysWhenToComeBackIsLeftAloneUntilThen() throws Exception {
        Metadata trailers = new Metadata();
        trailers.put(
                Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER), "100");
        AtomicLong closedUntil = new AtomicLong(System.nanoTime());
        AtomicInteger early = new AtomicInteger();
        try (MockSidecar server = MockSidecar.onUnixSocket(directory.resolve("s"))) {
            server.behaviour =
                    inference -> {
                        if (System.nanoTime() - closedUntil.get() < 0) {
                            early.incrementAndGet();
                        }
                        if (server.inferences.size() % 7 == 0) {
                            closedUntil.set(System.nanoTime() + Duration.ofMillis(100).toNanos());
                            inference.fail(Status.RESOURCE_EXHAUSTED, trailers);
                        } else {
                            inference.compute();
                        }
                    };
            assertThat(
                            Jobs.collect(
                                    AsyncDataStream.orderedWaitBatchWithRetry(
                                                    Jobs.numbers(1, 100),
                                                    new GpuSidecarAsyncBatchFunction<>(
                                                            server.options().build(),
                                                            new LongCodec()),
                                                    AsyncBatchOptions.builder(
                                                                    4, Duration.ofMinutes(1))
                                                            .capacity(8)
                                                            .concurrency(Concurrency.fixed(1))
                                                            .build(),
                                                    ExponentialBackoffRetryStrategy.<Long>builder(
                                                                    5, Duration.ofMillis(1))
                                                            .ifException(
                                                                    new SidecarRetryPredicate())
                                                            .build())
                                            .returns(Types.LONG)))
                    .isEqualTo(tens(100));
            assertThat(server.inferences).hasSizeGreaterThan(25);
            assertThat(early).hasValue(0);
        }
    }

    private static GpuSidecarAsyncFunction<Long, Long> function(SidecarOptions.Builder options) {
        return new GpuSidecarAsyncFunction<>(options.build(), new LongCodec());
    }

    @Test
    void theTimeoutOfAnOperatorReachesTheServer() throws Exception {
        try (MockSidecar server = MockSidecar.onUnixSocket(directory.resolve("s"))) {
            server.hold();
            Jobs.assertFailsWith(
                    "timed out",
                    AsyncDataStream.orderedWait(
                                    Jobs.numbers(1, 1),
                                    function(server.options()),
                                    200,
                                    TimeUnit.MILLISECONDS)
                            .returns(Types.LONG));
            await().until(() -> server.cancelled.get() == 1);
            Jobs.assertFailsWith(
                    "timed out",
                    AsyncDataStream.orderedWaitBatch(
                                    Jobs.numbers(1, 2),
                                    new GpuSidecarAsyncBatchFunction<>(
                                            server.options().build(), new LongCodec()),
                                    AsyncBatchOptions.builder(2, Duration.ofMillis(200)).build())
                            .returns(Types.LONG));
            await().until(() -> server.cancelled.get() == 2);
            assertThat(server.openRequests()).isZero();
        }
    }

    /** Goes on with the other calls: a timeout that is handled cancels its own call alone. */
    @Test
    void aTimeoutThatIsHandledCancelsItsCallAlone() throws Exception {
        try (MockSidecar server = MockSidecar.onUnixSocket(directory.resolve("s"))) {
            server.behaviour =
                    inference -> {
                        if (inference.request.getRawInputContents(0).byteAt(0) != 2) {
                            inference.compute();
                        }
                    };
            assertThat(
                            Jobs.collect(
                                    AsyncDataStream.orderedWaitBatch(
                                                    Jobs.numbers(1, 4),
                                                    new WithSubstitute(server.options().build()),
                                                    AsyncBatchOptions.builder(
                                                                    1, Duration.ofSeconds(2))
                                                            .build())
                                            .returns(Types.LONG)))
                    .containsExactly(10L, -2L, 30L, 40L);
            await().until(() -> server.cancelled.get() == 1);
        }
    }

    /** Supplies a value where the model is too slow. */
    private static final class WithSubstitute extends GpuSidecarAsyncBatchFunction<Long, Long> {

        private static final long serialVersionUID = 1L;

        private WithSubstitute(SidecarOptions options) {
            super(options, new LongCodec());
        }

        @Override
        public void timeoutBatch(List<Long> inputs, ResultFuture<Long> results) throws Exception {
            super.timeoutBatch(
                    inputs,
                    new ResultFuture<>() {
                        @Override
                        public void complete(Collection<Long> ignored) {}

                        @Override
                        public void complete(CollectionSupplier<Long> ignored) {}

                        @Override
                        public void completeExceptionally(Throwable timeout) {
                            results.complete(inputs.stream().map(input -> -input).toList());
                        }
                    });
        }
    }

    @Test
    void aJobThatIsCancelledLeavesNothing() throws Exception {
        Path socket = directory.resolve("s");
        try (MockSidecar server = MockSidecar.onUnixSocket(socket)) {
            server.hold();
            StreamExecutionEnvironment env = Jobs.environment();
            AsyncDataStream.orderedWait(
                            env.fromSequence(1, 1_000),
                            new GpuSidecarAsyncFunction<>(
                                    server.options().sharedMemoryThreshold(1).build(),
                                    new LongCodec()),
                            1,
                            TimeUnit.MINUTES,
                            100)
                    .returns(Types.LONG)
                    .sinkTo(new DiscardingSink<>());
            JobClient job = env.executeAsync();
            await().until(() -> server.openRequests() == 64);
            job.cancel().get();
            await().until(() -> job.getJobStatus().get().isGloballyTerminalState());
            await().until(() -> server.openRequests() == 0);
            await().until(() -> server.openConnections.get() == 0);
            await().until(
                            () ->
                                    Thread.getAllStackTraces().keySet().stream()
                                            .noneMatch(
                                                    thread ->
                                                            thread.getName()
                                                                    .startsWith("sidecar-client")));
            try (Stream<Path> files = Files.list(Path.of("/dev/shm"))) {
                assertThat(files).noneMatch(file -> file.toString().contains("async-batch-"));
            }
        }
        assertThat(socket).doesNotExist();
    }

    private static List<Long> tens(long to) {
        return LongStream.rangeClosed(1, to).mapToObj(value -> value * 10).toList();
    }
}
