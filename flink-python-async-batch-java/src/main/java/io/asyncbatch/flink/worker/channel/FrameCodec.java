package io.asyncbatch.flink.worker.channel;

import io.asyncbatch.flink.proto.FrameHeader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The layout of a frame: fixed32 header length, fixed64 body length, both little-endian, then
 * header and body. Stateless.
 */
final class FrameCodec {

    static final int PREFIX_BYTES = Integer.BYTES + Long.BYTES;

    /** A header holds a handful of numbers, or a failure whose traceback the worker cuts. */
    static final int MAX_HEADER_BYTES = 1024 * 1024;

    private FrameCodec() {}

    /** Prefix and header of a frame, ready to be written. */
    static ByteBuffer encodeHead(FrameHeader header, long bodyBytes) {
        byte[] headerBytes = header.toByteArray();
        ByteBuffer head =
                ByteBuffer.allocate(PREFIX_BYTES + headerBytes.length)
                        .order(ByteOrder.LITTLE_ENDIAN);
        head.putInt(headerBytes.length).putLong(bodyBytes).put(headerBytes);
        return head.flip();
    }

    /**
     * Total size of the frame that starts at the buffer's position, whose prefix must be there.
     *
     * @throws FrameException if a length is out of bounds, before anything is allocated for it
     */
    static long frameBytes(ByteBuffer buffer, long maxFrameBytes) throws FrameException {
        long headerBytes = headerBytes(buffer);
        long bodyBytes = bodyBytes(buffer);
        if (headerBytes < 0 || headerBytes > MAX_HEADER_BYTES) {
            throw new FrameException(
                    "frame header length must be in [0, " + MAX_HEADER_BYTES + "]: " + headerBytes);
        }
        if (bodyBytes < 0 || bodyBytes > maxFrameBytes) {
            throw new FrameException(
                    "frame body length must be in [0, max_frame_bytes="
                            + maxFrameBytes
                            + "]: "
                            + bodyBytes);
        }
        return PREFIX_BYTES + headerBytes + bodyBytes;
    }

    static int headerBytes(ByteBuffer buffer) {
        return littleEndian(buffer).getInt(buffer.position());
    }

    static long bodyBytes(ByteBuffer buffer) {
        return littleEndian(buffer).getLong(buffer.position() + Integer.BYTES);
    }

    private static ByteBuffer littleEndian(ByteBuffer buffer) {
        return buffer.order(ByteOrder.LITTLE_ENDIAN);
    }
}
