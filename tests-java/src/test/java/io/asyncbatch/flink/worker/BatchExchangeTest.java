package io.asyncbatch.flink.worker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.arrow.BridgeAllocator;
import io.asyncbatch.flink.arrow.EncodedBatch;
import io.asyncbatch.flink.arrow.RecordBatchWriter;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.proto.Failure;
import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import io.asyncbatch.flink.worker.channel.BatchChannel;
import io.asyncbatch.flink.worker.channel.ChannelPeer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import javax.annotation.Nullable;
import org.apache.flink.api.common.typeinfo.Types;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Against a worker that is a socket in the hands of the test. */
@Timeout(60)
class BatchExchangeTest {

    private static final long MAX_FRAME_BYTES = 4096;

    private static final WorkerLimits LIMITS =
            new WorkerLimits(60_000, MAX_FRAME_BYTES, 1 << 20, 1 << 20, null);

    @TempDir Path temporary;

    private final BridgeAllocator allocator = new BridgeAllocator("test", Long.MAX_VALUE);
    private final BatchExchange<Long, Long> exchange =
            new BatchExchange<>("Double", Types.LONG, Types.LONG, allocator, LIMITS);
    private final IOException end = new IOException("the worker is gone");
    private ChannelPeer worker;
    private BatchChannel channel;

    @BeforeEach
    void connect() throws IOException {
        worker = ChannelPeer.connect(temporary);
        channel =
                BatchChannel.start(
                        worker.operatorEnd(),
                        MAX_FRAME_BYTES,
                        allocator.child("receive", Long.MAX_VALUE),
                        new BatchChannel.Listener() {
                            @Override
                            public void onFrame(FrameHeader header, ByteBuffer body)
                                    throws IOException {
                                exchange.answered(header, body, channel);
                            }

                            @Override
                            public void onClosed(@Nullable Throwable cause) {
                                exchange.failAll(end);
                            }
                        },
                        "channel");
    }

    /** The allocator itself fails if anything is held. */
    @AfterEach
    void leavesNothingAllocated() throws Exception {
        channel.close();
        worker.close();
        exchange.close();
        assertThat(allocator.allocatedBytes()).isZero();
        allocator.close();
    }

    @Test
    void sendsABatchAsARecordBatch() throws Exception {
        invoke(3, 1L, 2L, 3L);
        ChannelPeer.Frame frame = worker.read();
        assertThat(frame.header())
                .isEqualTo(
                        FrameHeader.newBuilder()
                                .setKind(FrameKind.INVOKE)
                                .setBatchId(3)
                                .setAttempt(1)
                                .setRowCount(3)
                                .build());
        assertThat(frame.body()).isEqualTo(encoded(1L, 2L, 3L));
    }

    @Test
    void handsEachAnswerToItsBatch() throws Exception {
        CompletableFuture<BatchOutcome<Long>> first = invoke(1, 1L, 2L);
        CompletableFuture<BatchOutcome<Long>> second = invoke(2, 3L);
        assertThat(exchange.inFlight()).isEqualTo(2);
        worker.write(answer(FrameKind.RESULT, FrameKind.INVOKE, 2, 1), encoded(6L));
        worker.write(answer(FrameKind.RESULT, FrameKind.INVOKE, 1, 2), encoded(2L, 4L));
        assertThat(first.get()).isEqualTo(BatchOutcome.success(List.of(2L, 4L)));
        assertThat(second.get()).isEqualTo(BatchOutcome.success(List.of(6L)));
        assertThat(exchange.inFlight()).isZero();
    }

    @Test
    void tellsTheFailureOfAFunction() throws Exception {
        CompletableFuture<BatchOutcome<Long>> outcome = invoke(1, 1L, 2L);
        worker.write(
                answer(FrameKind.FAILURE, FrameKind.INVOKE, 1, 0).toBuilder()
                        .setFailure(
                                Failure.newBuilder()
                                        .setErrorClass("ValueError")
                                        .setMessage("no")
                                        .setTraceback("Traceback: here"))
                        .build(),
                new byte[0]);
        assertThat(causeOf(outcome))
                .isInstanceOf(PythonBatchException.class)
                .hasMessage(
                        "Double.async_invoke_batch failed on a batch of 2: ValueError: no\n"
                                + "Traceback: here");
    }

    @Test
    void tellsThatACallIsToBeRepeated() throws Exception {
        CompletableFuture<BatchOutcome<Long>> failed = invoke(1, 1L);
        CompletableFuture<BatchOutcome<Long>> refused = invoke(2, 1L);
        FrameHeader.Builder retry =
                answer(FrameKind.RETRY, FrameKind.INVOKE, 2, 0).toBuilder().setRetryDelayMillis(40);
        worker.write(retry.build(), new byte[0]);
        worker.write(
                retry.setBatchId(1)
                        .setFailure(Failure.newBuilder().setErrorClass("ConnectionError"))
                        .build(),
                new byte[0]);
        assertThat(refused.get()).isEqualTo(BatchOutcome.retry(null, 40));
        BatchOutcome.Retry<Long> told = (BatchOutcome.Retry<Long>) failed.get();
        assertThat(told.delayMillis()).isEqualTo(40);
        assertThat(told.cause()).hasMessageContaining("ConnectionError");
        assertThat(exchange.inFlight()).isZero();
    }

    @Test
    void tellsAnInvalidResultFromAFailure() throws Exception {
        CompletableFuture<BatchOutcome<Long>> outcome = invoke(1, 1L);
        worker.write(
                answer(FrameKind.FAILURE, FrameKind.INVOKE, 1, 0).toBuilder()
                        .setFailure(Failure.newBuilder().setKind(Failure.Kind.INVALID_RESULT))
                        .build(),
                new byte[0]);
        assertThat(((BatchOutcome.Failure<Long>) outcome.get()).invalidResult()).isTrue();
    }

    @Test
    void dropsAResultThatCrossedItsTimeout() throws Exception {
        CompletableFuture<BatchOutcome<Long>> invoked = invoke(1, 1L);
        CompletableFuture<BatchOutcome<Long>> timedOut = timeout(1, 1L);
        worker.write(answer(FrameKind.RESULT, FrameKind.TIMEOUT, 1, 1), encoded(-1L));
        assertThat(timedOut.get()).isEqualTo(BatchOutcome.success(List.of(-1L)));
        assertThat(exchange.inFlight()).isZero();

        worker.write(answer(FrameKind.RESULT, FrameKind.INVOKE, 1, 1), encoded(2L));
        CompletableFuture<BatchOutcome<Long>> next = invoke(2, 2L);
        worker.write(answer(FrameKind.RESULT, FrameKind.INVOKE, 2, 1), encoded(4L));
        assertThat(next.get()).isEqualTo(BatchOutcome.success(List.of(4L)));
        assertThat(invoked).isNotDone();
    }

    @Test
    void cancelsWhatNobodyWaitsForAndDropsWhatComesAllTheSame() throws Exception {
        CompletableFuture<BatchOutcome<Long>> cancelled = invoke(1, 1L);
        worker.read();
        exchange.cancel(1, 1, channel);
        assertThat(worker.read().header())
                .isEqualTo(
                        FrameHeader.newBuilder()
                                .setKind(FrameKind.CANCEL)
                                .setBatchId(1)
                                .setAttempt(1)
                                .build());
        assertThat(exchange.inFlight()).isZero();
        worker.write(answer(FrameKind.RESULT, FrameKind.INVOKE, 1, 1), encoded(2L));
        CompletableFuture<BatchOutcome<Long>> next = invoke(2, 2L);
        exchange.cancel(1, 1, channel);
        assertThat(worker.read().header().getKind())
                .as("the worker is told once")
                .isEqualTo(FrameKind.INVOKE);
        worker.write(answer(FrameKind.RESULT, FrameKind.INVOKE, 2, 1), encoded(4L));
        assertThat(next.get()).isEqualTo(BatchOutcome.success(List.of(4L)));
        assertThat(cancelled).isNotDone();
    }

    @Test
    void takesAResultThatIsFasterThanItsTimeout() throws Exception {
        CompletableFuture<BatchOutcome<Long>> invoked = invoke(1, 1L);
        timeout(1, 1L);
        worker.write(answer(FrameKind.RESULT, FrameKind.INVOKE, 1, 1), encoded(2L));
        assertThat(invoked.get()).isEqualTo(BatchOutcome.success(List.of(2L)));
        assertThat(exchange.inFlight()).isEqualTo(1);
    }

    @Test
    void failsABatchThatTheTransportDoesNotTake() throws Exception {
        List<Long> inputs = Collections.nCopies(1000, 1L);
        CompletableFuture<BatchOutcome<Long>> outcome =
                exchange.send(FrameKind.INVOKE, new BatchRequest<>(1, 1, inputs), channel)
                        .toCompletableFuture();
        assertThat(causeOf(outcome))
                .hasMessageMatching(
                        "A batch of 1000 rows for Double is \\d+ bytes, more than the transport"
                                + " takes: max_frame_bytes=4096");
        assertThat(exchange.inFlight()).isZero();
    }

    @Test
    void namesTheRowThatCannotBeEncoded() throws Exception {
        List<Long> inputs = new ArrayList<>(List.of(1L, 2L));
        inputs.add(null);
        CompletableFuture<BatchOutcome<Long>> outcome =
                exchange.send(FrameKind.INVOKE, new BatchRequest<>(1, 1, inputs), channel)
                        .toCompletableFuture();
        assertThat(causeOf(outcome)).hasMessageContaining("2");
        assertThat(exchange.inFlight()).isZero();
    }

    @Test
    void failsABatchWhoseResultCannotBeRead() throws Exception {
        CompletableFuture<BatchOutcome<Long>> outcome = invoke(1, 1L);
        worker.write(answer(FrameKind.RESULT, FrameKind.INVOKE, 1, 1), new byte[] {1, 2, 3});
        assertThat(causeOf(outcome)).isInstanceOf(RuntimeException.class);
    }

    @Test
    void failsWhatIsInFlightWhenTheConnectionEnds() throws Exception {
        CompletableFuture<BatchOutcome<Long>> first = invoke(1, 1L);
        CompletableFuture<BatchOutcome<Long>> second = timeout(1, 1L);
        worker.close();
        assertThatThrownBy(first::get).isInstanceOf(ExecutionException.class).hasCause(end);
        assertThatThrownBy(second::get).isInstanceOf(ExecutionException.class).hasCause(end);
        assertThatThrownBy(invoke(2, 1L)::get).hasCause(end);
        assertThat(exchange.inFlight()).isZero();
    }

    private CompletableFuture<BatchOutcome<Long>> invoke(long batchId, Long... inputs) {
        return exchange.send(
                        FrameKind.INVOKE, new BatchRequest<>(batchId, 1, List.of(inputs)), channel)
                .toCompletableFuture();
    }

    private CompletableFuture<BatchOutcome<Long>> timeout(long batchId, Long... inputs) {
        return exchange.send(
                        FrameKind.TIMEOUT, new BatchRequest<>(batchId, 1, List.of(inputs)), channel)
                .toCompletableFuture();
    }

    private static Throwable causeOf(CompletableFuture<BatchOutcome<Long>> outcome)
            throws Exception {
        return ((BatchOutcome.Failure<Long>) outcome.get()).cause();
    }

    private static FrameHeader answer(FrameKind kind, FrameKind answers, long batchId, int rows) {
        return FrameHeader.newBuilder()
                .setKind(kind)
                .setAnswers(answers)
                .setBatchId(batchId)
                .setAttempt(1)
                .setRowCount(rows)
                .build();
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
}
