package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.arrow.BridgeAllocator;
import io.asyncbatch.flink.arrow.RecordBatchReader;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import io.asyncbatch.flink.proto.SharedBody;
import io.asyncbatch.flink.worker.channel.BatchChannel;
import io.asyncbatch.flink.worker.memory.SharedMemory;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import javax.annotation.Nullable;
import org.apache.flink.api.common.typeinfo.TypeInformation;

/**
 * The batches that a worker process has and their answers: what comes back is decoded and handed to
 * who waits for it.
 *
 * <p>The mailbox thread sends and closes; the channel's thread answers. Whichever thread sees the
 * worker's end fails what is left.
 */
final class BatchExchange<IN, OUT> implements AutoCloseable {

    private final BatchSender<IN> sender;
    private final RecordBatchReader<OUT> reader;
    private final AwaitedBatches<OUT> awaited;
    @Nullable private volatile SharedMemory sharedMemory;

    BatchExchange(
            String functionName,
            TypeInformation<IN> inputType,
            TypeInformation<OUT> outputType,
            BridgeAllocator allocator,
            WorkerLimits limits) {
        this.sender = new BatchSender<>(functionName, inputType, allocator, limits);
        this.reader =
                RecordBatchReader.create(
                        outputType, allocator.child("outputs", limits.resultMemoryBytes()));
        this.awaited = new AwaitedBatches<>(functionName);
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
        return awaited.count();
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
        FrameHeader header = AwaitedBatches.header(kind, request);
        CompletionStage<BatchOutcome<OUT>> outcome = awaited.add(header);
        sender.send(header, request.inputs(), channel, refusal -> awaited.refused(header, refusal));
        return outcome;
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

    private void answered(FrameHeader header, ByteBuffer body) {
        awaited.answered(header, () -> reader.read(body, header.getRowCount()));
    }

    /** Takes a {@code RELEASE}. */
    void released(FrameHeader header) throws IOException {
        sender.released(header.getSharedBody().getOffset());
    }

    /** Fails every batch, also those yet to be sent, as no answer will come any more. */
    void failAll(Throwable cause) {
        awaited.failAll(cause);
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
