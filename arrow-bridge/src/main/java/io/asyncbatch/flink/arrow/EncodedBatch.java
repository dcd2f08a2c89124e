package io.asyncbatch.flink.arrow;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import org.apache.arrow.vector.ipc.WriteChannel;
import org.apache.arrow.vector.ipc.message.ArrowRecordBatch;
import org.apache.arrow.vector.ipc.message.MessageSerializer;
import org.apache.flink.annotation.Internal;

/**
 * One batch as an encapsulated Arrow IPC record batch message, owning its memory: it stays valid
 * whatever the writer does next. Any one thread may write it out and close it.
 */
@Internal
public final class EncodedBatch implements AutoCloseable {

    private final ArrowRecordBatch batch;
    private final ByteBuffer[] buffers;
    private final long byteCount;
    private boolean closed;

    private EncodedBatch(ArrowRecordBatch batch, ByteBuffer[] buffers, long byteCount) {
        this.batch = batch;
        this.buffers = buffers;
        this.byteCount = byteCount;
    }

    /** Takes over the batch, also when this fails. */
    static EncodedBatch of(ArrowRecordBatch batch) {
        try {
            GatheringChannel pieces = new GatheringChannel();
            WriteChannel channel = new WriteChannel(pieces);
            MessageSerializer.serialize(channel, batch);
            return new EncodedBatch(batch, pieces.buffers(), channel.getCurrentPosition());
        } catch (IOException e) {
            batch.close();
            throw new UncheckedIOException(e);
        } catch (Throwable t) {
            batch.close();
            throw t;
        }
    }

    /**
     * Read-only views of the message's bytes, in order, each positioned at its first byte. Fresh at
     * every call, so that a failed write can start over; not to be touched after {@link #close()}.
     */
    public ByteBuffer[] buffers() {
        if (closed) {
            throw new IllegalStateException("The encoded batch is closed.");
        }
        ByteBuffer[] views = new ByteBuffer[buffers.length];
        for (int i = 0; i < views.length; i++) {
            views[i] = buffers[i].duplicate();
        }
        return views;
    }

    /** Length of the message in bytes. */
    public long byteCount() {
        return byteCount;
    }

    /** Releases the memory; more than once does nothing. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            batch.close();
        }
    }
}
