package io.asyncbatch.flink.worker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.arrow.BridgeAllocator;
import io.asyncbatch.flink.arrow.EncodedBatch;
import io.asyncbatch.flink.arrow.RecordBatchReader;
import io.asyncbatch.flink.arrow.RecordBatchWriter;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import io.asyncbatch.flink.proto.SharedBody;
import io.asyncbatch.flink.worker.channel.BatchChannel;
import io.asyncbatch.flink.worker.channel.ChannelPeer;
import io.asyncbatch.flink.worker.memory.MappedFiles;
import io.asyncbatch.flink.worker.memory.SharedMemory;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import javax.annotation.Nullable;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.flink.api.common.typeinfo.Types;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Large bodies, against a worker that is a socket and two files in the hands of the test. */
@Timeout(60)
class SharedBatchExchangeTest {

    private static final int LARGE = 1_000;
    private static final long SHARED_BYTES = 64 * 1024;
    private static final WorkerLimits LIMITS = new WorkerLimits(60_000, 16_384, 1, 4_096, null);

    @TempDir Path temporary;

    private final BridgeAllocator allocator = new BridgeAllocator("test", Long.MAX_VALUE);
    private final BatchExchange<Long, Long> exchange =
            new BatchExchange<>("Double", Types.LONG, Types.LONG, allocator, LIMITS);
    private final CompletableFuture<Throwable> closed = new CompletableFuture<>();
    private MappedFiles files;
    private SharedMemory memory;
    private ChannelPeer worker;
    private BatchChannel channel;

    @BeforeEach
    void connect() throws IOException {
        files = new MappedFiles(temporary, SHARED_BYTES);
        memory = files.map(LIMITS.sharedMemoryThreshold());
        exchange.share(memory);
        worker = ChannelPeer.connect(temporary);
        channel =
                BatchChannel.start(
                        worker.operatorEnd(),
                        LIMITS.maxFrameBytes(),
                        allocator.child("receive", Long.MAX_VALUE),
                        new BatchChannel.Listener() {
                            @Override
                            public void onFrame(FrameHeader header, ByteBuffer body)
                                    throws IOException {
                                if (header.getKind() == FrameKind.RELEASE) {
                                    exchange.released(header);
                                } else {
                                    exchange.answered(header, body, channel);
                                }
                            }

                            @Override
                            public void onClosed(@Nullable Throwable cause) {
                                closed.complete(cause);
                            }
                        },
                        "channel");
    }

    /** The allocator itself fails if anything is held. */
    @AfterEach
    void leavesNothingTaken() throws Exception {
        channel.close();
        worker.close();
        exchange.close();
        assertThat(memory.takenBytes()).isZero();
        memory.close();
        assertThat(allocator.allocatedBytes()).isZero();
        allocator.close();
    }

    @Test
    void aLargeBatchIsPlacedInSharedMemory() throws Exception {
        invoke(1, LARGE);
        ChannelPeer.Frame frame = worker.read();
        assertThat(frame.body()).isEmpty();
        SharedBody place = frame.header().getSharedBody();
        assertThat(decoded(files.readInput(place.getOffset(), place.getLength())))
                .isEqualTo(Collections.nCopies(LARGE, 1L));
    }

    @Test
    void aSmallBatchIsNot() throws Exception {
        invoke(1, 100);
        ChannelPeer.Frame frame = worker.read();
        assertThat(frame.header().hasSharedBody()).isFalse();
        assertThat(frame.body()).hasSizeGreaterThan(800);
    }

    @Test
    void aRegionIsUsedAgainOnceTheWorkerHasReleasedIt() throws Exception {
        invoke(1, LARGE);
        invoke(2, LARGE);
        SharedBody first = worker.read().header().getSharedBody();
        SharedBody second = worker.read().header().getSharedBody();
        assertThat(second.getOffset()).isGreaterThanOrEqualTo(first.getLength());

        // An answer does not release the inputs: the function may have kept them.
        CompletableFuture<BatchOutcome<Long>> third = invoke(3, 1);
        worker.read();
        worker.write(header(FrameKind.RELEASE, 0, 0, first), new byte[0]);
        worker.write(header(FrameKind.RESULT, 3, 1, null), encoded(5L));
        assertThat(third.get()).isEqualTo(BatchOutcome.success(List.of(5L)));

        invoke(4, LARGE);
        assertThat(worker.read().header().getSharedBody().getOffset()).isEqualTo(first.getOffset());
    }

    @Test
    void withoutRoomABatchTakesTheSocket() throws Exception {
        List<ChannelPeer.Frame> frames = new ArrayList<>();
        for (int i = 1; i <= 8; i++) {
            invoke(i, LARGE);
            frames.add(worker.read());
        }
        assertThat(frames.stream().filter(frame -> frame.header().hasSharedBody())).hasSize(5);
        assertThat(frames.get(7).body()).hasSizeGreaterThan(8_000);
    }

    @Test
    void aResultInSharedMemoryIsReadAndReleased() throws Exception {
        CompletableFuture<BatchOutcome<Long>> outcome = invoke(1, LARGE);
        worker.read();
        byte[] body = encoded(7L, 8L);
        files.writeResult(512, body);
        SharedBody place = place(512, body.length);
        worker.write(header(FrameKind.RESULT, 1, 2, place), new byte[0]);
        assertThat(outcome.get()).isEqualTo(BatchOutcome.success(List.of(7L, 8L)));
        FrameHeader release = worker.read().header();
        assertThat(release.getKind()).isEqualTo(FrameKind.RELEASE);
        assertThat(release.getSharedBody()).isEqualTo(place);
    }

    @Test
    void aLateResultIsReleasedToo() throws Exception {
        worker.write(header(FrameKind.RESULT, 99, 2, place(0, 64)), new byte[0]);
        assertThat(worker.read().header().getKind()).isEqualTo(FrameKind.RELEASE);
    }

    @Test
    void aResultOutsideOfTheMemoryEndsTheConnection() throws Exception {
        worker.write(header(FrameKind.RESULT, 1, 2, place(SHARED_BYTES, 64)), new byte[0]);
        assertThat(closed.get())
                .hasMessageContaining("offset 65536")
                .hasMessageContaining("length 64");
    }

    @Test
    void aReleaseOfWhatWasNotLentEndsTheConnection() throws Exception {
        invoke(1, LARGE);
        worker.read();
        worker.write(header(FrameKind.RELEASE, 0, 0, place(4_096, 1)), new byte[0]);
        assertThat(closed.get()).hasMessage("a worker released offset 4096, which it was not lent");
    }

    /** The peer reads nothing at first, so what its socket does not take stays in memory. */
    @Test
    void batchesWaitForMemoryAndKeepTheirOrder() throws Exception {
        int batches = 500;
        for (int i = 1; i <= batches; i++) {
            invoke(i, 300);
        }
        assertThat(exchange.awaitingMemory()).isPositive();
        assertThat(allocator.allocatedBytes())
                .isLessThanOrEqualTo(LIMITS.inputMemoryBytes() + LIMITS.receiveMemoryBytes());
        for (int i = 1; i <= batches; i++) {
            ChannelPeer.Frame frame = worker.read();
            assertThat(frame.header().getBatchId()).isEqualTo(i);
            assertThat(decoded(frame.body())).hasSize(300);
        }
        assertThat(exchange.awaitingMemory()).isZero();
        assertThat(exchange.inFlight()).isEqualTo(batches);
    }

    @Test
    void aBatchThatNeverFindsMemoryFails() throws Exception {
        List<Long> inputs = Collections.nCopies(1_000_000, 1L);
        BatchOutcome<Long> outcome =
                exchange.send(FrameKind.INVOKE, new BatchRequest<>(1, 1, inputs), channel)
                        .toCompletableFuture()
                        .get();
        assertThat(((BatchOutcome.Failure<Long>) outcome).cause())
                .hasMessage(
                        "A batch of 1000000 rows for Double takes more memory than there is for"
                                + " all batches: max_bytes_in_flight=1");
        assertThat(exchange.inFlight()).isZero();
    }

    @Test
    void sharedMemoryIsNeededForASharedResult() throws Exception {
        BatchExchange<Long, Long> unshared =
                new BatchExchange<>("Double", Types.LONG, Types.LONG, allocator, LIMITS);
        FrameHeader result = header(FrameKind.RESULT, 1, 1, place(0, 8));
        assertThatThrownBy(() -> unshared.answered(result, ByteBuffer.allocate(0), channel))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("shared memory");
        unshared.close();
    }

    private CompletableFuture<BatchOutcome<Long>> invoke(long batchId, int rows) {
        return exchange.send(
                        FrameKind.INVOKE,
                        new BatchRequest<>(batchId, 1, Collections.nCopies(rows, 1L)),
                        channel)
                .toCompletableFuture();
    }

    private static SharedBody place(long offset, long length) {
        return SharedBody.newBuilder().setOffset(offset).setLength(length).build();
    }

    private static FrameHeader header(
            FrameKind kind, long batchId, int rows, @Nullable SharedBody place) {
        FrameHeader.Builder header =
                FrameHeader.newBuilder()
                        .setKind(kind)
                        .setAnswers(FrameKind.INVOKE)
                        .setBatchId(batchId)
                        .setAttempt(1)
                        .setRowCount(rows);
        return place == null ? header.build() : header.setSharedBody(place).build();
    }

    private byte[] encoded(Long... values) {
        try (RecordBatchWriter<Long> writer =
                        RecordBatchWriter.create(
                                Types.LONG, allocator.child("encode", Long.MAX_VALUE));
                EncodedBatch batch = writer.encode(List.of(values))) {
            ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(batch.byteCount()));
            for (ByteBuffer buffer : batch.buffers()) {
                bytes.put(buffer);
            }
            return bytes.array();
        }
    }

    private List<Long> decoded(byte[] body) {
        try (BufferAllocator decode = allocator.child("decode", Long.MAX_VALUE);
                RecordBatchReader<Long> reader = RecordBatchReader.create(Types.LONG, decode)) {
            ByteBuffer bytes = ByteBuffer.wrap(body);
            return reader.read(bytes, rowsOf(body));
        }
    }

    /** Each of a LONG's rows takes 8 bytes and a bit, after a head of less than 512. */
    private static int rowsOf(byte[] body) {
        return body.length > 8_000 ? LARGE : 300;
    }
}
