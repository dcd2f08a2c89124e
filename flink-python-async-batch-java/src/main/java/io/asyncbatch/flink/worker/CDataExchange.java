package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.arrow.ElementEncodingException;
import io.asyncbatch.flink.arrow.LentBatch;
import io.asyncbatch.flink.arrow.RecordBatchReader;
import io.asyncbatch.flink.arrow.RecordBatchWriter;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.EarlyRows;
import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import io.asyncbatch.flink.worker.thread.LoopPort;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import javax.annotation.Nullable;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.OutOfMemoryException;
import org.apache.flink.api.common.typeinfo.TypeInformation;

/**
 * The batches that Python has in this JVM and their answers: columns are written here and lent,
 * columns that come back are read here, each where it lies.
 *
 * <p>The mailbox thread sends and closes; the thread of Python's event loop answers.
 */
final class CDataExchange<IN, OUT> implements AutoCloseable {

    private final String functionName;
    private final WorkerLimits limits;
    private final RecordBatchWriter<IN> writer;
    private final RecordBatchReader<OUT> reader;
    private final AwaitedBatches<OUT> awaited;

    /**
     * @param inputs holds the batches that Python has
     * @param outputs accounts for results while they are read
     */
    CDataExchange(
            String functionName,
            TypeInformation<IN> inputType,
            TypeInformation<OUT> outputType,
            BufferAllocator inputs,
            BufferAllocator outputs,
            WorkerLimits limits) {
        this.functionName = functionName;
        this.limits = limits;
        this.writer = RecordBatchWriter.create(inputType, inputs);
        this.reader = RecordBatchReader.create(outputType, outputs);
        this.awaited = new AwaitedBatches<>(functionName);
    }

    /** Batches that await an answer. */
    int inFlight() {
        return awaited.count();
    }

    /** Lends a batch whose rows have their outcome all at once. */
    CompletionStage<BatchOutcome<OUT>> send(
            FrameKind kind, BatchRequest<IN> request, LoopPort port) {
        return send(kind, request, null, port);
    }

    /**
     * Lends a batch.
     *
     * @param kind what Python is to do with it: {@code INVOKE} or {@code TIMEOUT}
     * @param early takes rows whose outcome is known before that of the others, in the loop's
     *     thread; null if nobody does
     * @return completed by the loop's thread, or at once if the batch cannot be sent; exceptionally
     *     only by {@link #failAll}, and not at all if all rows came early
     */
    CompletionStage<BatchOutcome<OUT>> send(
            FrameKind kind,
            BatchRequest<IN> request,
            @Nullable EarlyRows<OUT> early,
            LoopPort port) {
        LentBatch batch;
        try {
            batch = writer.lend(request.inputs());
        } catch (ElementEncodingException e) {
            return CompletableFuture.completedFuture(BatchOutcome.failure(e));
        } catch (OutOfMemoryException e) {
            // The operator holds input back by the weight of rows, so what is left to hold more is
            // user code that keeps what it was given, or rows that weigh more than estimated.
            return CompletableFuture.completedFuture(
                    BatchOutcome.failure(
                            BatchSender.noMemory(
                                    functionName,
                                    request.inputs().size(),
                                    limits.maxBytesInFlight(),
                                    e)));
        }
        if (batch.byteCount() > limits.maxFrameBytes()) {
            IOException tooLarge =
                    BatchSender.tooLarge(
                            functionName,
                            request.inputs().size(),
                            batch.byteCount(),
                            limits.maxFrameBytes());
            batch.close();
            return CompletableFuture.completedFuture(BatchOutcome.failure(tooLarge));
        }
        FrameHeader header = AwaitedBatches.header(kind, request);
        CompletionStage<BatchOutcome<OUT>> outcome = awaited.add(header, early);
        port.submit(header, batch);
        return outcome;
    }

    /** Has Python cancel an invocation that it has not answered. */
    void cancel(long batchId, int attempt, LoopPort port) {
        FrameHeader cancel = awaited.cancelled(batchId, attempt);
        if (cancel != null) {
            port.submit(cancel, null);
        }
    }

    /**
     * Takes a {@code PART}, {@code RESULT}, {@code RETRY} or {@code FAILURE} of a batch.
     *
     * @param results address of the struct that describes the results, read before this returns
     */
    void answered(FrameHeader header, long results) {
        awaited.answered(header, () -> reader.read(results, header.getRowCount()));
    }

    /** Fails every batch, also those yet to be sent, as no answer will come any more. */
    void failAll(Throwable cause) {
        awaited.failAll(cause);
    }

    /** Releases the memory of writer and reader; no thread may answer any more. */
    @Override
    public void close() {
        try {
            writer.close();
        } finally {
            reader.close();
        }
    }
}
