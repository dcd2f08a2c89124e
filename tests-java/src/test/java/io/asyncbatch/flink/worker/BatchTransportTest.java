package io.asyncbatch.flink.worker;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.arrow.BridgeAllocator;
import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import io.asyncbatch.flink.proto.SharedBody;
import io.asyncbatch.flink.worker.channel.BatchChannel;
import io.asyncbatch.flink.worker.channel.ChannelPeer;
import io.asyncbatch.flink.worker.memory.MappedFiles;
import io.asyncbatch.flink.worker.memory.SharedMemory;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Collections;
import java.util.concurrent.CompletableFuture;
import javax.annotation.Nullable;
import org.apache.flink.api.common.typeinfo.Types;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Several callers' batches, to a worker that is a socket and two files in the test's hands. */
@Timeout(60)
class BatchTransportTest {

    private static final WorkerLimits LIMITS = new WorkerLimits(60_000, 16_384, 1, 4_096, null);
    private static final int ROWS = 300;

    @TempDir Path temporary;

    private final BridgeAllocator allocator = new BridgeAllocator("test", Long.MAX_VALUE);
    private final BatchTransport<Long, Long> transport =
            new BatchTransport<>("Double", Types.LONG, Types.LONG, allocator, LIMITS);
    private final CompletableFuture<Throwable> closed = new CompletableFuture<>();
    private SharedMemory memory;
    private ChannelPeer worker;
    private BatchChannel channel;

    @BeforeEach
    void connect() throws Exception {
        memory = new MappedFiles(temporary, 64 * 1024).map(LIMITS.sharedMemoryThreshold());
        transport.share(memory);
        worker = ChannelPeer.connect(temporary);
        channel =
                BatchChannel.start(
                        worker.operatorEnd(),
                        LIMITS.maxFrameBytes(),
                        allocator.child("receive", Long.MAX_VALUE),
                        new BatchChannel.Listener() {
                            @Override
                            public void onFrame(FrameHeader header, ByteBuffer body)
                                    throws Exception {
                                // By a caller that has left.
                                transport.answered(header, body, channel, null);
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
        transport.close();
        memory.close();
        assertThat(allocator.allocatedBytes()).isZero();
        allocator.close();
    }

    /** The peer reads nothing at first, so what its socket does not take stays in memory. */
    @Test
    void batchesOfACallerThatLeftAreNotSentAndHoldNobodyUp() throws Exception {
        int sent = 0;
        while (transport.awaitingMemory() < 10) {
            send(1, ++sent);
        }
        int waiting = transport.awaitingMemory();
        for (int i = 1; i <= 10; i++) {
            send(2, i);
        }
        transport.withdraw(1);
        assertThat(transport.awaitingMemory()).isEqualTo(10);
        for (int i = 1; i <= sent - waiting; i++) {
            assertThat(worker.read().header()).isEqualTo(header(1, i));
        }
        for (int i = 1; i <= 10; i++) {
            assertThat(worker.read().header()).isEqualTo(header(2, i));
        }
        assertThat(transport.awaitingMemory()).isZero();
    }

    /** Nothing is read, so nothing but the withdrawal can have it sent. */
    @Test
    void aBatchThatFitsIsSentOnceTheOneBeforeItIsWithdrawn() {
        long sent = 0;
        while (transport.awaitingMemory() == 0) {
            send(1, ++sent);
        }
        send(2, 1, 1);
        assertThat(transport.awaitingMemory()).isEqualTo(2);
        transport.withdraw(1);
        assertThat(transport.awaitingMemory()).isZero();
    }

    @Test
    void batchesOfAllCallersAreSentInTheOrderInWhichTheyCame() throws Exception {
        for (int i = 1; i <= 250; i++) {
            send(1, i);
            send(2, i);
        }
        assertThat(transport.awaitingMemory()).isPositive();
        for (int i = 1; i <= 250; i++) {
            assertThat(worker.read().header()).isEqualTo(header(1, i));
            assertThat(worker.read().header()).isEqualTo(header(2, i));
        }
    }

    @Test
    void theAnswerToACallerThatLeftIsReleasedUnread() throws Exception {
        SharedBody place = SharedBody.newBuilder().setOffset(512).setLength(64).build();
        worker.write(
                FrameHeader.newBuilder()
                        .setKind(FrameKind.RESULT)
                        .setCaller(1)
                        .setBatchId(1)
                        .setSharedBody(place)
                        .build(),
                new byte[0]);
        FrameHeader release = worker.read().header();
        assertThat(release.getKind()).isEqualTo(FrameKind.RELEASE);
        assertThat(release.getSharedBody()).isEqualTo(place);
        assertThat(closed).isNotDone();
    }

    private void send(int caller, long batchId) {
        send(caller, batchId, ROWS);
    }

    private void send(int caller, long batchId, int rows) {
        transport.send(
                header(caller, batchId),
                Collections.nCopies(rows, 1L),
                channel,
                refusal -> closed.complete(refusal));
    }

    private static FrameHeader header(int caller, long batchId) {
        return FrameHeader.newBuilder()
                .setKind(FrameKind.INVOKE)
                .setCaller(caller)
                .setBatchId(batchId)
                .setAttempt(1)
                .setRowCount(ROWS)
                .build();
    }
}
