package io.asyncbatch.flink.worker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.arrow.BridgeAllocator;
import io.asyncbatch.flink.arrow.RecordBatchReader;
import io.asyncbatch.flink.arrow.RecordBatchWriter;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.proto.Failure;
import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import io.asyncbatch.flink.worker.thread.LoopPort;
import io.asyncbatch.flink.worker.thread.WokenLoop;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.flink.api.common.typeinfo.Types;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Against an event loop that is in the hands of the test. */
@Timeout(60)
class CDataExchangeTest {

    private static final long MAX_FRAME_BYTES = 4096;

    @TempDir Path temporary;

    private final BridgeAllocator memory = new BridgeAllocator("test", Long.MAX_VALUE);
    private final BufferAllocator loops = memory.child("loop", Long.MAX_VALUE);
    private final RecordBatchWriter<Long> writer = RecordBatchWriter.create(Types.LONG, loops);
    private final RecordBatchReader<Long> reader = RecordBatchReader.create(Types.LONG, loops);
    private final CDataExchange<Long, Long> exchange =
            new CDataExchange<>(
                    "Double",
                    Types.LONG,
                    Types.LONG,
                    memory.child("inputs", Long.MAX_VALUE),
                    memory.child("outputs", Long.MAX_VALUE),
                    new WorkerLimits(60_000, MAX_FRAME_BYTES, 1 << 20, 1 << 20, null));
    private final LoopPort port = new LoopPort(new byte[0], null, null, exchange::answered);
    private final IOException end = new IOException("the loop is gone");
    private WokenLoop loop;

    @BeforeEach
    void attach() throws Exception {
        loop = new WokenLoop(port, loops, temporary);
    }

    /** The allocator itself fails if anything is held. */
    @AfterEach
    void leavesNothingAllocated() throws Exception {
        port.close();
        exchange.close();
        loop.close();
        writer.close();
        reader.close();
        memory.close();
    }

    @Test
    void lendsABatch() throws Exception {
        send(FrameKind.INVOKE, 3, 1L, 2L, 3L);
        assertThat(loop.poll())
                .isEqualTo(
                        FrameHeader.newBuilder()
                                .setKind(FrameKind.INVOKE)
                                .setBatchId(3)
                                .setAttempt(1)
                                .setRowCount(3)
                                .build());
        assertThat(loop.read(reader, 3)).containsExactly(1L, 2L, 3L);
        loop.release(loop.lent());
    }

    @Test
    void handsEachAnswerToItsBatch() throws Exception {
        CompletableFuture<BatchOutcome<Long>> first = send(FrameKind.INVOKE, 1, 1L, 2L);
        CompletableFuture<BatchOutcome<Long>> second = send(FrameKind.INVOKE, 2, 3L);
        assertThat(exchange.inFlight()).isEqualTo(2);
        answer(FrameKind.INVOKE, 2, 6L);
        answer(FrameKind.INVOKE, 1, 2L, 4L);
        assertThat(first.get()).isEqualTo(BatchOutcome.success(List.of(2L, 4L)));
        assertThat(second.get()).isEqualTo(BatchOutcome.success(List.of(6L)));
        assertThat(exchange.inFlight()).isZero();
    }

    @Test
    void tellsTheFailureOfAFunction() throws Exception {
        CompletableFuture<BatchOutcome<Long>> outcome = send(FrameKind.INVOKE, 1, 1L, 2L);
        loop.answer(
                header(FrameKind.FAILURE, FrameKind.INVOKE, 1, 0).toBuilder()
                        .setFailure(
                                Failure.newBuilder()
                                        .setErrorClass("ValueError")
                                        .setMessage("no")
                                        .setTraceback("Traceback: here"))
                        .build());
        assertThat(causeOf(outcome))
                .isInstanceOf(PythonBatchException.class)
                .hasMessage(
                        "Double.async_invoke_batch failed on a batch of 2: ValueError: no\n"
                                + "Traceback: here");
    }

    @Test
    void dropsAResultThatCrossedItsTimeout() throws Exception {
        CompletableFuture<BatchOutcome<Long>> invoked = send(FrameKind.INVOKE, 1, 1L);
        CompletableFuture<BatchOutcome<Long>> timedOut = send(FrameKind.TIMEOUT, 1, 1L);
        answer(FrameKind.TIMEOUT, 1, -1L);
        assertThat(timedOut.get()).isEqualTo(BatchOutcome.success(List.of(-1L)));
        assertThat(exchange.inFlight()).isZero();
        answer(FrameKind.INVOKE, 1, 2L);
        assertThat(invoked).isNotDone();
    }

    @Test
    void failsABatchThatIsTooLarge() throws Exception {
        CompletableFuture<BatchOutcome<Long>> outcome =
                send(FrameKind.INVOKE, 1, Collections.nCopies(1000, 1L).toArray(Long[]::new));
        assertThat(causeOf(outcome))
                .hasMessageMatching(
                        "A batch of 1000 rows for Double is \\d+ bytes, more than the transport"
                                + " takes: max_frame_bytes=4096");
        assertThat(exchange.inFlight()).isZero();
        assertThat(loop.poll()).isNull();
    }

    @Test
    void namesTheRowThatCannotBeEncoded() throws Exception {
        CompletableFuture<BatchOutcome<Long>> outcome =
                exchange.send(
                                FrameKind.INVOKE,
                                new BatchRequest<>(1, 1, Collections.singletonList(null)),
                                port)
                        .toCompletableFuture();
        assertThat(causeOf(outcome)).hasMessageContaining("0");
        assertThat(exchange.inFlight()).isZero();
    }

    @Test
    void failsABatchWhoseResultCannotBeRead() throws Exception {
        CompletableFuture<BatchOutcome<Long>> outcome = send(FrameKind.INVOKE, 1, 1L);
        loop.answer(header(FrameKind.RESULT, FrameKind.INVOKE, 1, 2), writer.lend(List.of(1L)));
        assertThat(causeOf(outcome)).hasMessageContaining("Expected 2 rows");
    }

    @Test
    void failsWhatIsInFlightWhenTheLoopEnds() throws Exception {
        CompletableFuture<BatchOutcome<Long>> first = send(FrameKind.INVOKE, 1, 1L);
        CompletableFuture<BatchOutcome<Long>> second = send(FrameKind.TIMEOUT, 1, 1L);
        exchange.failAll(end);
        assertThatThrownBy(first::get).isInstanceOf(ExecutionException.class).hasCause(end);
        assertThatThrownBy(second::get).isInstanceOf(ExecutionException.class).hasCause(end);
        assertThatThrownBy(send(FrameKind.INVOKE, 2, 1L)::get).hasCause(end);
        assertThat(exchange.inFlight()).isZero();
    }

    private CompletableFuture<BatchOutcome<Long>> send(
            FrameKind kind, long batchId, Long... inputs) {
        return exchange.send(kind, new BatchRequest<>(batchId, 1, List.of(inputs)), port)
                .toCompletableFuture();
    }

    private void answer(FrameKind answers, long batchId, Long... results) {
        loop.answer(
                header(FrameKind.RESULT, answers, batchId, results.length),
                writer.lend(List.of(results)));
    }

    private static Throwable causeOf(CompletableFuture<BatchOutcome<Long>> outcome)
            throws Exception {
        return ((BatchOutcome.Failure<Long>) outcome.get()).cause();
    }

    private static FrameHeader header(FrameKind kind, FrameKind answers, long batchId, int rows) {
        return FrameHeader.newBuilder()
                .setKind(kind)
                .setAnswers(answers)
                .setBatchId(batchId)
                .setAttempt(1)
                .setRowCount(rows)
                .build();
    }
}
