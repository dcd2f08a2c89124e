package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.arrow.BridgeAllocator;
import io.asyncbatch.flink.arrow.ElementEncodingException;
import io.asyncbatch.flink.arrow.EncodedBatch;
import io.asyncbatch.flink.arrow.RecordBatchWriter;
import io.asyncbatch.flink.arrow.SharedRegions;
import io.asyncbatch.flink.arrow.SharedRegions.Region;
import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import io.asyncbatch.flink.proto.SharedBody;
import io.asyncbatch.flink.worker.channel.BatchChannel;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.function.Consumer;
import org.apache.arrow.memory.OutOfMemoryException;
import org.apache.flink.api.common.typeinfo.TypeInformation;

/**
 * Encodes batches and sends them, in order, each as soon as there is memory for it. Thread-safe:
 * mailbox threads send, and whichever thread frees the memory of one batch encodes those that have
 * waited for it.
 *
 * @param <IN> type of the inputs
 */
final class BatchSender<IN> implements AutoCloseable {

    private final String functionName;
    private final WorkerLimits limits;
    private final RecordBatchWriter<IN> writer;

    // All guarded by this.
    private final Queue<Unsent<IN>> unsent = new ArrayDeque<>();
    private final Map<Long, EncodedBatch> shared = new HashMap<>();
    private SharedRegions regions = SharedRegions.NONE;
    private int held;
    private boolean sending;
    private boolean closed;

    private record Unsent<IN>(
            FrameHeader header,
            List<IN> inputs,
            BatchChannel channel,
            Consumer<Exception> whenRefused) {}

    BatchSender(
            String functionName,
            TypeInformation<IN> inputType,
            BridgeAllocator allocator,
            WorkerLimits limits) {
        this.functionName = functionName;
        this.limits = limits;
        this.writer =
                RecordBatchWriter.create(
                        inputType, allocator.regionChild("inputs", limits.inputMemoryBytes()));
    }

    /** Places batches in these regions from now on. */
    synchronized void share(SharedRegions sharedRegions) {
        regions = sharedRegions;
    }

    /**
     * Sends a batch, now or when there is memory for it.
     *
     * @param header all but where the body is
     * @param whenRefused told why the batch cannot be sent at all
     */
    void send(
            FrameHeader header,
            List<IN> inputs,
            BatchChannel channel,
            Consumer<Exception> whenRefused) {
        synchronized (this) {
            unsent.add(new Unsent<>(header, inputs, channel, whenRefused));
        }
        sendWaiting();
    }

    /** Batches that wait for memory. */
    synchronized int awaitingMemory() {
        return unsent.size();
    }

    /**
     * Forgets the batches of a caller that wait for memory. Those that were sent are released as
     * any other.
     */
    void withdraw(int caller) {
        synchronized (this) {
            unsent.removeIf(batch -> batch.header().getCaller() == caller);
        }
        // Its first one may have been what others wait behind.
        sendWaiting();
    }

    /**
     * Forgets an invocation that waits for memory.
     *
     * @param cancel names the batch, its attempt and its caller
     * @return false if it does not wait
     */
    boolean withdraw(FrameHeader cancel) {
        boolean waited;
        synchronized (this) {
            waited = unsent.removeIf(batch -> isInvocation(batch.header(), cancel));
        }
        sendWaiting();
        return waited;
    }

    private static boolean isInvocation(FrameHeader header, FrameHeader named) {
        return header.getKind() == FrameKind.INVOKE
                && header.getBatchId() == named.getBatchId()
                && header.getAttempt() == named.getAttempt()
                && header.getCaller() == named.getCaller();
    }

    /**
     * The worker reads a shared body no more.
     *
     * @throws IOException if none is at that offset
     */
    void released(long offset) throws IOException {
        EncodedBatch body;
        synchronized (this) {
            body = shared.remove(offset);
        }
        if (body == null) {
            throw new IOException("a worker released offset " + offset + ", which it was not lent");
        }
        body.close();
        freed();
    }

    private void freed() {
        synchronized (this) {
            held--;
        }
        sendWaiting();
    }

    private synchronized void sendWaiting() {
        if (sending) {
            // Called from within by a batch that was written at once; the loop below goes on.
            return;
        }
        sending = true;
        try {
            while (!closed && !unsent.isEmpty() && sendOrRefuse(unsent.peek())) {
                unsent.remove();
            }
        } finally {
            sending = false;
        }
    }

    /** Returns false if the batch has to wait. */
    private boolean sendOrRefuse(Unsent<IN> batch) {
        EncodedBatch body;
        try {
            body = writer.encode(batch.inputs(), regions);
        } catch (ElementEncodingException e) {
            batch.whenRefused().accept(e);
            return true;
        } catch (OutOfMemoryException e) {
            if (held > 0) {
                return false;
            }
            batch.whenRefused()
                    .accept(
                            noMemory(
                                    functionName,
                                    batch.inputs().size(),
                                    limits.maxBytesInFlight(),
                                    e));
            return true;
        }
        if (body.byteCount() > limits.maxFrameBytes()) {
            body.close();
            batch.whenRefused()
                    .accept(
                            tooLarge(
                                    functionName,
                                    batch.inputs().size(),
                                    body.byteCount(),
                                    limits.maxFrameBytes()));
            return true;
        }
        held++;
        if (body.region().isPresent()) {
            Region region = body.region().get();
            shared.put(region.offset(), body);
            batch.channel().send(withSharedBody(batch.header(), region, body.byteCount()));
        } else {
            batch.channel()
                    .send(
                            batch.header(),
                            body.buffers(),
                            () -> {
                                body.close();
                                freed();
                            });
        }
        return true;
    }

    private static FrameHeader withSharedBody(FrameHeader header, Region region, long bytes) {
        return header.toBuilder()
                .setSharedBody(SharedBody.newBuilder().setOffset(region.offset()).setLength(bytes))
                .build();
    }

    /** Why a batch is not sent, whichever way batches travel. */
    static IOException tooLarge(String functionName, int rowCount, long bytes, long maxFrameBytes) {
        return new IOException(
                describe(functionName, rowCount)
                        + " is "
                        + bytes
                        + " bytes, more than the transport takes: max_frame_bytes="
                        + maxFrameBytes);
    }

    /** Why a batch finds no memory, whichever way batches travel. */
    static IOException noMemory(
            String functionName, int rowCount, long maxBytesInFlight, OutOfMemoryException cause) {
        return new IOException(
                describe(functionName, rowCount)
                        + " takes more memory than there is for all batches: max_bytes_in_flight="
                        + maxBytesInFlight,
                cause);
    }

    private static String describe(String functionName, int rowCount) {
        return "A batch of "
                + rowCount
                + (rowCount == 1 ? " row" : " rows")
                + " for "
                + functionName;
    }

    /** Releases all memory. The channel must be closed before, the shared memory after. */
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        unsent.clear();
        shared.values().forEach(EncodedBatch::close);
        shared.clear();
        writer.close();
    }
}
