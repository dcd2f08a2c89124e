package io.asyncbatch.flink.arrow;

import io.asyncbatch.flink.arrow.SharedRegions.Region;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.Optional;
import javax.annotation.Nullable;
import org.apache.arrow.vector.ipc.WriteChannel;
import org.apache.arrow.vector.ipc.message.ArrowRecordBatch;
import org.apache.arrow.vector.ipc.message.MessageSerializer;
import org.apache.flink.annotation.Internal;

/**
 * One batch as an encapsulated Arrow IPC record batch message, owning its memory: it stays valid
 * whatever the writer does next. The message lies in a region of shared memory or is to be written
 * out from private memory. Any one thread may use and close it.
 */
@Internal
public final class EncodedBatch implements AutoCloseable {

    /** Where the message is, if not in {@link #region}. */
    private final ByteBuffer[] pieces;

    @Nullable private final Region region;
    private final long byteCount;
    private final Runnable release;
    private boolean closed;

    private EncodedBatch(
            ByteBuffer[] pieces, @Nullable Region region, long byteCount, Runnable release) {
        this.pieces = pieces;
        this.region = region;
        this.byteCount = byteCount;
        this.release = release;
    }

    /**
     * A message to be written out.
     *
     * @param batch taken over, also when this fails
     * @param afterwards runs once the batch's memory is released, unless this fails
     */
    static EncodedBatch inPieces(ArrowRecordBatch batch, Runnable afterwards) {
        try {
            GatheringChannel pieces = new GatheringChannel();
            WriteChannel channel = new WriteChannel(pieces);
            MessageSerializer.serialize(channel, batch);
            return new EncodedBatch(
                    pieces.buffers(),
                    null,
                    channel.getCurrentPosition(),
                    () -> {
                        batch.close();
                        afterwards.run();
                    });
        } catch (IOException e) {
            batch.close();
            throw new UncheckedIOException(e);
        } catch (Throwable t) {
            batch.close();
            throw t;
        }
    }

    /** A message that lies in the region already, which is taken over. */
    static EncodedBatch inRegion(Region region, long byteCount) {
        return new EncodedBatch(new ByteBuffer[0], region, byteCount, region::giveBack);
    }

    /** The same message, copied to the region, which is taken over; closes this one. */
    EncodedBatch copiedTo(Region region) {
        ByteBuffer target = region.bytes();
        for (ByteBuffer piece : buffers()) {
            target.put(piece);
        }
        close();
        return inRegion(region, byteCount);
    }

    /** Where in shared memory the message begins; empty if it is in private memory. */
    public Optional<Region> region() {
        return Optional.ofNullable(region);
    }

    /**
     * Read-only views of the bytes of a message in private memory, in order, each positioned at its
     * first byte. Fresh at every call, so that a failed write can start over; not to be touched
     * after {@link #close()}.
     */
    public ByteBuffer[] buffers() {
        if (closed) {
            throw new IllegalStateException("The encoded batch is closed.");
        }
        ByteBuffer[] views = new ByteBuffer[pieces.length];
        for (int i = 0; i < views.length; i++) {
            views[i] = pieces[i].duplicate();
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
            release.run();
        }
    }
}
