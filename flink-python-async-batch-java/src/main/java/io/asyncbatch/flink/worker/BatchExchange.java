package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.arrow.BridgeAllocator;
import io.asyncbatch.flink.arrow.RecordBatchReader;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.proto.Failure;
import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import io.asyncbatch.flink.proto.SharedBody;
import io.asyncbatch.flink.worker.channel.BatchChannel;
import io.asyncbatch.flink.worker.memory.SharedMemory;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import javax.annotation.Nullable;
import org.apache.flink.api.common.typeinfo.TypeInformation;

/**
 * The batches that a worker has and their answers: what comes back is decoded and handed to who
 * waits for it.
 *
 * <p>The mailbox thread sends and closes; the channel's thread answers. Whichever thread sees the
 * worker's end fails what is left.
 */
final class BatchExchange<IN, OUT> implements AutoCloseable {

    private final String functionName;
    private final BatchSender<IN> sender;
    private final RecordBatchReader<OUT> reader;
    private final Map<Key, Pending<OUT>> pending = new ConcurrentHashMap<>();
    @Nullable private volatile SharedMemory sharedMemory;
    @Nullable private volatile Throwable broken;

    /** What a pending batch is known by: one batch may await an answer to each kind of frame. */
    private record Key(long batchId, int attempt, FrameKind answers) {}

    private record Pending<OUT>(int rowCount, CompletableFuture<BatchOutcome<OUT>> outcome) {}

    BatchExchange(
            String functionName,
            TypeInformation<IN> inputType,
            TypeInformation<OUT> outputType,
            BridgeAllocator allocator,
            WorkerLimits limits) {
        this.functionName = functionName;
        this.sender = new BatchSender<>(functionName, inputType, allocator, limits);
        this.reader =
                RecordBatchReader.create(
                        outputType, allocator.child("outputs", limits.resultMemoryBytes()));
    }

    /** Has batches placed in shared memory from now on, and takes results from there. */
    void share(SharedMemory memory) {
        sharedMemory = memory;
        sender.share(memory);
    }

    /** What {@link #share} was given; any thread may ask. */
    Optional<SharedMemory> sharedMemory() {
        return Optional.ofNullable(sharedMemory);
    }

    /** Batches that await an answer. */
    int inFlight() {
        return pending.size();
    }

    /** Batches that wait for memory to be sent in. */
    int awaitingMemory() {
        return sender.awaitingMemory();
    }

    /**
     * Sends a batch.
     *
     * @param kind what the worker is to do with it: {@code INVOKE} or {@code TIMEOUT}
     * @return completed by the channel's thread, or at once if the batch cannot be sent;
     *     exceptionally only by {@link #failAll}
     */
    CompletionStage<BatchOutcome<OUT>> send(
            FrameKind kind, BatchRequest<IN> request, BatchChannel channel) {
        int rowCount = request.inputs().size();
        Key key = new Key(request.batchId(), request.attempt(), kind);
        Pending<OUT> waiting = new Pending<>(rowCount, new CompletableFuture<>());
        pending.put(key, waiting);
        FrameHeader header =
                FrameHeader.newBuilder()
                        .setKind(kind)
                        .setBatchId(request.batchId())
                        .setAttempt(request.attempt())
                        .setRowCount(rowCount)
                        .build();
        sender.send(
                header,
                request.inputs(),
                channel,
                refusal -> {
                    pending.remove(key);
                    waiting.outcome().complete(BatchOutcome.failure(refusal));
                });
        Throwable cause = broken;
        if (cause != null) {
            failAll(cause);
        }
        return waiting.outcome();
    }

    /**
     * Takes a {@code RESULT}, {@code RETRY} or {@code FAILURE} of a batch.
     *
     * @param body read before this returns
     * @throws IOException if the answer makes no sense, whatever the batch
     */
    void answered(FrameHeader header, ByteBuffer body, BatchChannel channel) throws IOException {
        if (!header.hasSharedBody()) {
            answered(header, body);
            return;
        }
        SharedMemory memory = sharedMemory;
        if (memory == null) {
            throw new IOException("a worker placed a result in shared memory, and has none");
        }
        SharedBody place = header.getSharedBody();
        try {
            answered(header, memory.result(place.getOffset(), place.getLength()));
        } finally {
            channel.send(
                    FrameHeader.newBuilder()
                            .setKind(FrameKind.RELEASE)
                            .setSharedBody(place)
                            .build());
        }
    }

    /** Takes a {@code RELEASE}. */
    void released(FrameHeader header) throws IOException {
        sender.released(header.getSharedBody().getOffset());
    }

    private void answered(FrameHeader header, ByteBuffer body) {
        Pending<OUT> waiting =
                pending.remove(
                        new Key(header.getBatchId(), header.getAttempt(), header.getAnswers()));
        if (waiting == null) {
            // It crossed the TIMEOUT that the worker has answered meanwhile.
            return;
        }
        if (header.getAnswers() == FrameKind.TIMEOUT) {
            // The invocation that timed out has been cancelled and will not be answered any more.
            pending.remove(new Key(header.getBatchId(), header.getAttempt(), FrameKind.INVOKE));
        }
        waiting.outcome().complete(outcome(header, body, waiting.rowCount()));
    }

    private BatchOutcome<OUT> outcome(FrameHeader header, ByteBuffer body, int rowCount) {
        if (header.getKind() == FrameKind.RETRY) {
            return BatchOutcome.retry(
                    header.hasFailure() ? failure(header, rowCount) : null,
                    header.getRetryDelayMillis());
        }
        if (header.getKind() == FrameKind.FAILURE) {
            PythonBatchException failure = failure(header, rowCount);
            return header.getFailure().getKind() == Failure.Kind.INVALID_RESULT
                    ? BatchOutcome.invalidResult(failure)
                    : BatchOutcome.failure(failure);
        }
        try {
            return BatchOutcome.success(reader.read(body, header.getRowCount()));
        } catch (RuntimeException e) {
            return BatchOutcome.failure(e);
        }
    }

    private PythonBatchException failure(FrameHeader header, int rowCount) {
        return PythonBatchException.of(
                functionName, header.getAnswers(), rowCount, header.getFailure());
    }

    /** Fails every batch, also those yet to be sent, as no answer will come any more. */
    void failAll(Throwable cause) {
        broken = cause;
        List<Pending<OUT>> lost = new ArrayList<>(pending.values());
        pending.clear();
        lost.forEach(waiting -> waiting.outcome().completeExceptionally(cause));
    }

    /** Releases all memory. The channel must be closed before, the shared memory after. */
    @Override
    public void close() {
        try {
            sender.close();
        } finally {
            reader.close();
        }
    }
}
