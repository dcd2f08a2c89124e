package io.asyncbatch.flink.worker.channel;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import io.asyncbatch.flink.worker.channel.ChannelPeer.Frame;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import javax.annotation.Nullable;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class BatchChannelTest {

    private static final long MAX_FRAME_BYTES = 8 * 1024 * 1024;

    @TempDir Path temporary;

    private final BufferAllocator allocator = new RootAllocator();
    private final Recorder recorder = new Recorder();
    private ChannelPeer worker;
    private BatchChannel channel;

    private static final class Recorder implements BatchChannel.Listener {

        private final BlockingQueue<Frame> frames = new LinkedBlockingQueue<>();
        private final CompletableFuture<Optional<Throwable>> closed = new CompletableFuture<>();
        private final AtomicInteger closedCalls = new AtomicInteger();

        @Override
        public void onFrame(FrameHeader header, ByteBuffer body) {
            byte[] bytes = new byte[body.remaining()];
            body.get(bytes);
            frames.add(new Frame(header, bytes));
        }

        @Override
        public void onClosed(@Nullable Throwable cause) {
            closedCalls.incrementAndGet();
            closed.complete(Optional.ofNullable(cause));
        }
    }

    @BeforeEach
    void connect() throws IOException {
        worker = ChannelPeer.connect(temporary);
        channel =
                BatchChannel.start(
                        worker.operatorEnd(), MAX_FRAME_BYTES, allocator, recorder, "channel");
    }

    @AfterEach
    void leavesNothingAllocated() throws Exception {
        channel.close();
        worker.close();
        assertThat(recorder.closedCalls).hasValue(1);
        assertThat(allocator.getAllocatedMemory()).isZero();
        allocator.close();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 1000, 256 * 1024, 3 * 1024 * 1024})
    void handsOnWhatTheWorkerSends(int bodyBytes) throws Exception {
        byte[] body = randomBytes(bodyBytes);
        worker.write(result(7), body);
        Frame frame = recorder.frames.take();
        assertThat(frame.header()).isEqualTo(result(7));
        assertThat(frame.body()).isEqualTo(body);
    }

    /** The header has a bound of its own, so that a failure's traceback always gets through. */
    @Test
    void takesABodyOfExactlyTheLimit() throws Exception {
        byte[] body = randomBytes((int) MAX_FRAME_BYTES);
        worker.write(result(1), body);
        assertThat(recorder.frames.take().body()).isEqualTo(body);
    }

    @Test
    void putsFramesTogetherThatArriveByteByByte() throws Exception {
        byte[] body = randomBytes(40);
        ByteBuffer head = FrameCodec.encodeHead(result(3), body.length);
        for (int i = 0; i < head.limit(); i++) {
            worker.write(head.slice(i, 1));
        }
        for (byte b : body) {
            worker.write(ByteBuffer.wrap(new byte[] {b}));
        }
        assertThat(recorder.frames.take().body()).isEqualTo(body);
    }

    @Test
    void handsOnManyFramesOfChangingSizeInOrder() throws Exception {
        Random random = new Random(42);
        int count = 2_000;
        Thread writer =
                new Thread(
                        () -> {
                            try {
                                for (int i = 1; i <= count; i++) {
                                    byte[] body = new byte[random.nextInt(20_000)];
                                    Arrays.fill(body, (byte) i);
                                    worker.write(result(i), body);
                                }
                            } catch (IOException e) {
                                throw new IllegalStateException(e);
                            }
                        });
        writer.start();
        for (int i = 1; i <= count; i++) {
            Frame frame = recorder.frames.take();
            assertThat(frame.header().getBatchId()).isEqualTo(i);
            for (byte b : frame.body()) {
                assertThat(b).isEqualTo((byte) i);
            }
        }
        writer.join();
    }

    @Test
    void sendsBodiesWholeAndReleasesThemOnceEvenIfTheWorkerReadsLate() throws Exception {
        int frames = 40;
        AtomicInteger released = new AtomicInteger();
        byte[] body = randomBytes(500_000);
        for (int i = 1; i <= frames; i++) {
            // Far more than the socket buffers: sending must not block while nobody reads.
            channel.send(
                    result(i),
                    new ByteBuffer[] {
                        ByteBuffer.wrap(body, 0, 100), ByteBuffer.wrap(body, 100, body.length - 100)
                    },
                    released::incrementAndGet);
        }
        assertThat(released).hasValueLessThan(frames);
        for (int i = 1; i <= frames; i++) {
            Frame frame = worker.read();
            assertThat(frame.header().getBatchId()).isEqualTo(i);
            assertThat(frame.body()).isEqualTo(body);
        }
        channel.close();
        assertThat(released).hasValue(frames);
    }

    @Test
    void releasesBodiesThatWereNeverSent() throws Exception {
        AtomicInteger released = new AtomicInteger();
        for (int i = 1; i <= 40; i++) {
            channel.send(
                    result(i),
                    new ByteBuffer[] {ByteBuffer.allocate(500_000)},
                    released::incrementAndGet);
        }
        channel.close();
        channel.send(
                result(41), new ByteBuffer[] {ByteBuffer.allocate(1)}, released::incrementAndGet);
        assertThat(released).hasValue(41);
    }

    @Test
    void tellsWhenTheWorkerLeaves() throws Exception {
        worker.close();
        assertThat(recorder.closed.get()).isEmpty();
    }

    @Test
    void tellsWhenTheConnectionEndsWithinAFrame() throws Exception {
        worker.write(FrameCodec.encodeHead(result(1), 10));
        worker.close();
        assertThat(recorder.closed.get().orElseThrow())
                .isInstanceOf(FrameException.class)
                .hasMessage("the connection ended within a frame");
    }

    @ParameterizedTest
    @ValueSource(longs = {MAX_FRAME_BYTES + 1, Long.MAX_VALUE, -1, Long.MIN_VALUE})
    void refusesABodyLengthOutOfBoundsBeforeItAllocates(long bodyBytes) throws Exception {
        worker.write(FrameCodec.encodeHead(FrameHeader.getDefaultInstance(), bodyBytes));
        assertThat(recorder.closed.get().orElseThrow())
                .isInstanceOf(FrameException.class)
                .hasMessageContaining("max_frame_bytes=" + MAX_FRAME_BYTES);
        assertThat(recorder.frames).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(ints = {FrameCodec.MAX_HEADER_BYTES + 1, -1, Integer.MIN_VALUE})
    void refusesAHeaderLengthOutOfBounds(int headerBytes) throws Exception {
        ByteBuffer prefix =
                ByteBuffer.allocate(FrameCodec.PREFIX_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        worker.write(prefix.putInt(headerBytes).putLong(0).flip());
        assertThat(recorder.closed.get().orElseThrow())
                .isInstanceOf(FrameException.class)
                .hasMessageContaining("frame header length must be in");
    }

    @Test
    void refusesAHeaderThatCannotBeParsed() throws Exception {
        ByteBuffer frame =
                ByteBuffer.allocate(FrameCodec.PREFIX_BYTES + 3).order(ByteOrder.LITTLE_ENDIAN);
        frame.putInt(3).putLong(0).put(new byte[] {(byte) 0xff, (byte) 0xff, (byte) 0xff});
        worker.write(frame.flip());
        assertThat(recorder.closed.get().orElseThrow())
                .isInstanceOf(FrameException.class)
                .hasMessageContaining("cannot be parsed");
    }

    private static FrameHeader result(long batchId) {
        return FrameHeader.newBuilder()
                .setKind(FrameKind.RESULT)
                .setBatchId(batchId)
                .setAttempt(1)
                .setRowCount(2)
                .build();
    }

    private static byte[] randomBytes(int count) {
        byte[] bytes = new byte[count];
        new Random(count).nextBytes(bytes);
        return bytes;
    }
}
