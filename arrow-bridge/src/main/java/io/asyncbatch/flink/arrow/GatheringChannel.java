package io.asyncbatch.flink.arrow;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayList;
import java.util.List;

/**
 * A channel that keeps what is written to it as buffers for a later gathering write: large pieces
 * by reference, runs of small ones copied together. Used by one thread for one batch.
 */
final class GatheringChannel implements WritableByteChannel {

    /** Below this a copy costs less than one more entry of a gathering write. */
    private static final int COPY_BELOW_BYTES = 4096;

    private final List<ByteBuffer> pieces = new ArrayList<>();
    private final ByteArrayOutputStream small = new ByteArrayOutputStream(COPY_BELOW_BYTES);
    private final byte[] chunk = new byte[COPY_BELOW_BYTES];

    @Override
    public int write(ByteBuffer source) {
        int length = source.remaining();
        if (length < COPY_BELOW_BYTES) {
            source.get(chunk, 0, length);
            small.write(chunk, 0, length);
        } else {
            endSmallRun();
            pieces.add(source.slice().asReadOnlyBuffer());
            source.position(source.limit());
        }
        return length;
    }

    /** All that was written, in order. */
    ByteBuffer[] buffers() {
        endSmallRun();
        return pieces.toArray(new ByteBuffer[0]);
    }

    private void endSmallRun() {
        if (small.size() > 0) {
            pieces.add(ByteBuffer.wrap(small.toByteArray()).asReadOnlyBuffer());
            small.reset();
        }
    }

    @Override
    public boolean isOpen() {
        return true;
    }

    @Override
    public void close() {}
}
