package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.arrow.BridgeAllocator;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.EarlyRows;
import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import io.asyncbatch.flink.worker.channel.BatchChannel;
import io.asyncbatch.flink.worker.memory.SharedMemory;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletionStage;
import javax.annotation.Nullable;
import org.apache.flink.api.common.typeinfo.TypeInformation;

/**
 * The batches that a worker process with one caller has and their answers: what comes back is
 * decoded and handed to who waits for it.
 *
 * <p>The mailbox thread sends and closes; the channel's thread answers. Whichever thread sees the
 * worker's end fails what is left.
 */
final class BatchExchange<IN, OUT> implements AutoCloseable {

    private final BatchTransport<IN, OUT> transport;
    private final AwaitedBatches<OUT> awaited;

    BatchExchange(
            String functionName,
            TypeInformation<IN> inputType,
            TypeInformation<OUT> outputType,
            BridgeAllocator allocator,
            WorkerLimits limits) {
        this.transport =
                new BatchTransport<>(functionName, inputType, outputType, allocator, limits);
        this.awaited = new AwaitedBatches<>(functionName);
    }

    /** Has batches placed in shared memory from now on, and takes results from there. */
    void share(SharedMemory memory) {
        transport.share(memory);
    }

    /** How batches travel, to be measured. */
    BatchTransport<IN, OUT> transport() {
        return transport;
    }

    /** Batches that await an answer. */
    int inFlight() {
        return awaited.count();
    }

    /** Batches that wait for memory to be sent in. */
    int awaitingMemory() {
        return transport.awaitingMemory();
    }

    /** Sends a batch whose rows have their outcome all at once. */
    CompletionStage<BatchOutcome<OUT>> send(
            FrameKind kind, BatchRequest<IN> request, BatchChannel channel) {
        return send(kind, request, null, channel);
    }

    /**
     * Sends a batch.
     *
     * @param kind what the worker is to do with it: {@code INVOKE} or {@code TIMEOUT}
     * @param early takes rows whose outcome is known before that of the others, in the channel's
     *     thread; null if nobody does
     * @return completed by the channel's thread, or at once if the batch cannot be sent;
     *     exceptionally only by {@link #failAll}, and not at all if all rows came early
     */
    CompletionStage<BatchOutcome<OUT>> send(
            FrameKind kind,
            BatchRequest<IN> request,
            @Nullable EarlyRows<OUT> early,
            BatchChannel channel) {
        FrameHeader header = AwaitedBatches.header(kind, request);
        CompletionStage<BatchOutcome<OUT>> outcome = awaited.add(header, early);
        transport.send(
                header, request.inputs(), channel, refusal -> awaited.refused(header, refusal));
        return outcome;
    }

    /** Has the worker cancel an invocation that it has not answered. */
    void cancel(long batchId, int attempt, BatchChannel channel) {
        FrameHeader cancel = awaited.cancelled(batchId, attempt);
        if (cancel != null) {
            transport.cancel(cancel, channel);
        }
    }

    /**
     * Takes a {@code PART}, {@code RESULT}, {@code RETRY} or {@code FAILURE} of a batch.
     *
     * @param body read before this returns
     * @throws IOException if the answer makes no sense, whatever the batch
     */
    void answered(FrameHeader header, ByteBuffer body, BatchChannel channel) throws IOException {
        transport.answered(header, body, channel, awaited);
    }

    /** Takes a {@code RELEASE}. */
    void released(FrameHeader header) throws IOException {
        transport.released(header);
    }

    /** Fails every batch, also those yet to be sent, as no answer will come any more. */
    void failAll(Throwable cause) {
        awaited.failAll(cause);
    }

    /** Releases all memory. The channel must be closed before, the shared memory after. */
    @Override
    public void close() {
        transport.close();
    }
}
