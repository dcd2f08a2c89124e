package io.asyncbatch.flink.worker;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.arrow.BridgeAllocator;
import io.asyncbatch.flink.arrow.EncodedBatch;
import io.asyncbatch.flink.arrow.MalformedBatchException;
import io.asyncbatch.flink.arrow.RecordBatchWriter;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.proto.Failure;
import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import io.asyncbatch.flink.proto.RowFailure;
import io.asyncbatch.flink.proto.SharedBody;
import io.asyncbatch.flink.worker.channel.BatchChannel;
import io.asyncbatch.flink.worker.channel.ChannelPeer;
import io.asyncbatch.flink.worker.memory.MappedFiles;
import io.asyncbatch.flink.worker.memory.SharedMemory;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import javax.annotation.Nullable;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import net.jqwik.api.lifecycle.AfterProperty;
import net.jqwik.api.lifecycle.BeforeProperty;
import org.apache.flink.api.common.typeinfo.Types;

/**
 * A worker that sends anything. Every batch gets an outcome or learns of the connection's end, all
 * memory is released, and none is taken for what was merely announced.
 */
class HostileWorkerProperties {

    private static final long SHARED_BYTES = 64 * 1024;
    private static final WorkerLimits LIMITS =
            new WorkerLimits(60_000, 16_384, 65_536, 4_096, null);
    private static final int[] EXTREMES = {0, 1, -1, 127, 128, 4096, Integer.MAX_VALUE, 1 << 31};

    private Path directory;

    @BeforeProperty
    void createDirectory() throws IOException {
        directory = Files.createTempDirectory("hostile");
    }

    @AfterProperty
    void removeDirectory() throws IOException {
        for (String name : List.of("inputs", "results", "s")) {
            Files.deleteIfExists(directory.resolve(name));
        }
        Files.delete(directory);
    }

    @Property(tries = 300, shrinking = ShrinkingMode.OFF)
    void damagedAnswersEndInAnOutcome(@ForAll long seed) throws Exception {
        Random random = new Random(seed);
        BridgeAllocator allocator = new BridgeAllocator("test", Long.MAX_VALUE);
        BatchExchange<String, String> exchange =
                new BatchExchange<>("Echo", Types.STRING, Types.STRING, allocator, LIMITS);
        List<CompletableFuture<BatchOutcome<String>>> outcomes = new ArrayList<>();
        Files.deleteIfExists(directory.resolve("s"));
        MappedFiles files = new MappedFiles(directory, SHARED_BYTES);
        CompletableFuture<Throwable> closed = new CompletableFuture<>();

        try (SharedMemory memory = files.map(LIMITS.sharedMemoryThreshold());
                ChannelPeer worker = ChannelPeer.connect(directory)) {
            exchange.share(memory);
            CompletableFuture<BatchChannel> started = new CompletableFuture<>();
            BatchChannel channel =
                    BatchChannel.start(
                            worker.operatorEnd(),
                            LIMITS.maxFrameBytes(),
                            allocator.child("receive", LIMITS.receiveMemoryBytes()),
                            listener(exchange, started, closed),
                            "channel");
            started.complete(channel);
            for (int i = 1; i <= 4; i++) {
                outcomes.add(
                        exchange.send(
                                        FrameKind.INVOKE,
                                        new BatchRequest<>(
                                                i, 1, Collections.nCopies(3, "row " + i)),
                                        (rows, results, failures) ->
                                                assertThat(rows)
                                                        .hasSize(results.size())
                                                        .hasSizeBetween(1, 3),
                                        channel)
                                .toCompletableFuture());
                worker.read();
            }
            try {
                for (int i = 1; i <= 4; i++) {
                    worker.write(answer(i, random, allocator, files));
                }
            } catch (IOException e) {
                // The channel has seen enough.
            }
            worker.close();
            closed.get(60, TimeUnit.SECONDS);
            channel.close();
            assertThat(exchange.inFlight()).isZero();
            for (CompletableFuture<BatchOutcome<String>> outcome : outcomes) {
                assertEnded(outcome);
            }
            exchange.close();
        }
        assertThat(allocator.allocatedBytes()).isZero();
        allocator.close();
    }

    private static BatchChannel.Listener listener(
            BatchExchange<String, String> exchange,
            CompletableFuture<BatchChannel> channel,
            CompletableFuture<Throwable> closed) {
        return new BatchChannel.Listener() {
            @Override
            public void onFrame(FrameHeader header, ByteBuffer body) throws Exception {
                switch (header.getKind()) {
                    case RELEASE -> exchange.released(header);
                    case PART, RESULT, RETRY, FAILURE ->
                            exchange.answered(header, body, channel.get());
                    default -> throw new IOException("not a worker's: " + header.getKind());
                }
            }

            @Override
            public void onClosed(@Nullable Throwable cause) {
                exchange.failAll(cause == null ? new IOException("it ended") : cause);
                closed.complete(cause);
            }
        };
    }

    private static void assertEnded(CompletableFuture<BatchOutcome<String>> outcome)
            throws InterruptedException {
        if (!outcome.isDone()) {
            // All of its rows were given early: no answer is awaited any more.
            return;
        }
        try {
            BatchOutcome<String> told = outcome.get();
            if (told instanceof BatchOutcome.Failure<String> failure) {
                assertThat(failure.cause())
                        .isInstanceOfAny(MalformedBatchException.class, PythonBatchException.class);
            }
        } catch (ExecutionException e) {
            assertThat(e.getCause()).isInstanceOf(IOException.class);
        }
    }

    /** The frame of a result, damaged in its prefix, its header, its body, or its place. */
    private static ByteBuffer answer(
            long batchId, Random random, BridgeAllocator allocator, MappedFiles files)
            throws IOException {
        byte[] body = encoded(allocator, "a", "bc", "\u00e4");
        FrameHeader.Builder header =
                FrameHeader.newBuilder()
                        .setKind(FrameKind.RESULT)
                        .setAnswers(FrameKind.INVOKE)
                        .setBatchId(batchId)
                        .setAttempt(1)
                        .setRowCount(3);
        if (random.nextInt(3) == 0) {
            header.setKind(FrameKind.PART).addAllRows(List.of(2, 0, 1));
        }
        for (int i = random.nextInt(8) - 5; i > 0; i--) {
            header.addRowFailures(
                    RowFailure.newBuilder()
                            .setIndex(random.nextInt(4) - random.nextInt(8) / 7)
                            .setFailure(Failure.newBuilder().setKind(Failure.Kind.ROW)));
        }
        if (random.nextInt(3) == 0) {
            damage(body, random);
            // Each in a place of its own: what is there may still be read when the next one comes.
            long place = 1024 * batchId;
            files.writeResult(place, body);
            header.setSharedBody(
                    SharedBody.newBuilder()
                            .setOffset(random.nextInt(4) == 0 ? random.nextLong() : place)
                            .setLength(random.nextInt(4) == 0 ? random.nextInt() : body.length));
            body = new byte[0];
        }
        byte[] headerBytes = header.build().toByteArray();
        ByteBuffer frame =
                ByteBuffer.allocate(12 + headerBytes.length + body.length)
                        .order(ByteOrder.LITTLE_ENDIAN);
        frame.putInt(headerBytes.length).putLong(body.length).put(headerBytes).put(body);
        byte[] bytes = frame.array();
        if (random.nextInt(4) != 0) {
            damage(bytes, random);
        }
        return ByteBuffer.wrap(bytes, 0, random.nextInt(6) == 0 ? 5 : bytes.length);
    }

    private static void damage(byte[] bytes, Random random) {
        for (int i = random.nextInt(3); i >= 0; i--) {
            int at = random.nextInt(bytes.length - 4);
            if (random.nextBoolean()) {
                bytes[at] = (byte) random.nextInt();
            } else {
                ByteBuffer.wrap(bytes)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putInt(at & ~3, EXTREMES[random.nextInt(EXTREMES.length)]);
            }
        }
    }

    private static byte[] encoded(BridgeAllocator allocator, String... values) {
        try (RecordBatchWriter<String> writer =
                        RecordBatchWriter.create(
                                Types.STRING, allocator.child("encode", Long.MAX_VALUE));
                EncodedBatch batch = writer.encode(List.of(values))) {
            ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(batch.byteCount()));
            for (ByteBuffer buffer : batch.buffers()) {
                bytes.put(buffer);
            }
            return bytes.array();
        }
    }
}
