package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.arrow.BridgeAllocator;
import io.asyncbatch.flink.arrow.RecordBatchReader;
import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import io.asyncbatch.flink.proto.SharedBody;
import io.asyncbatch.flink.worker.channel.BatchChannel;
import io.asyncbatch.flink.worker.memory.SharedMemory;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import javax.annotation.Nullable;
import org.apache.flink.api.common.typeinfo.TypeInformation;

/**
 * Elements to a worker process and results from it, over its channel and in the memory that it
 * shares. Whose batches they are is not known here.
 *
 * <p>Any thread sends; the channel's thread answers.
 */
final class BatchTransport<IN, OUT> implements AutoCloseable {

    private final BatchSender<IN> sender;
    private final RecordBatchReader<OUT> reader;
    @Nullable private volatile SharedMemory sharedMemory;

    BatchTransport(
            String functionName,
            TypeInformation<IN> inputType,
            TypeInformation<OUT> outputType,
            BridgeAllocator allocator,
            WorkerLimits limits) {
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

    /** Batches that wait for memory to be sent in. */
    int awaitingMemory() {
        return sender.awaitingMemory();
    }

    /**
     * Sends a batch, now or when there is memory for it, and after all that were sent before.
     *
     * @param header all but where the body is
     * @param whenRefused told why the batch cannot be sent at all
     */
    void send(
            FrameHeader header,
            List<IN> inputs,
            BatchChannel channel,
            Consumer<Exception> whenRefused) {
        sender.send(header, inputs, channel, whenRefused);
    }

    /** Forgets the batches of a caller that still wait to be sent. */
    void withdraw(int caller) {
        sender.withdraw(caller);
    }

    /**
     * Has the worker cancel a batch, unless it still waits to be sent and never will be then.
     *
     * @param cancel names the batch, its attempt and its caller
     */
    void cancel(FrameHeader cancel, BatchChannel channel) {
        if (!sender.withdraw(cancel)) {
            channel.send(cancel);
        }
    }

    /**
     * Takes a {@code PART}, {@code RESULT}, {@code RETRY} or {@code FAILURE} of a batch.
     *
     * @param body read before this returns
     * @param awaited where the batch is awaited; null if by nobody any more
     * @throws IOException if the answer makes no sense, whatever the batch
     */
    void answered(
            FrameHeader header,
            ByteBuffer body,
            BatchChannel channel,
            @Nullable AwaitedBatches<OUT> awaited)
            throws IOException {
        if (!header.hasSharedBody()) {
            answered(header, body, awaited);
            return;
        }
        SharedMemory memory = sharedMemory;
        if (memory == null) {
            throw new IOException("a worker placed a result in shared memory, and has none");
        }
        SharedBody place = header.getSharedBody();
        try {
            answered(header, memory.result(place.getOffset(), place.getLength()), awaited);
        } finally {
            channel.send(
                    FrameHeader.newBuilder()
                            .setKind(FrameKind.RELEASE)
                            .setSharedBody(place)
                            .build());
        }
    }

    private void answered(
            FrameHeader header, ByteBuffer body, @Nullable AwaitedBatches<OUT> awaited) {
        if (awaited != null) {
            awaited.answered(header, () -> reader.read(body, header.getRowCount()));
        }
    }

    /** Takes a {@code RELEASE}. */
    void released(FrameHeader header) throws IOException {
        sender.released(header.getSharedBody().getOffset());
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
