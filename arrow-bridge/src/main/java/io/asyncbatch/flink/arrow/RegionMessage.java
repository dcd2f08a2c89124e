package io.asyncbatch.flink.arrow;

import com.google.flatbuffers.FlatBufferBuilder;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.apache.arrow.flatbuf.Buffer;
import org.apache.arrow.flatbuf.FieldNode;
import org.apache.arrow.flatbuf.Message;
import org.apache.arrow.flatbuf.MessageHeader;
import org.apache.arrow.flatbuf.MetadataVersion;
import org.apache.arrow.flatbuf.RecordBatch;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.util.MemoryUtil;
import org.apache.arrow.vector.ipc.message.ArrowFieldNode;
import org.apache.arrow.vector.ipc.message.ArrowRecordBatch;

/**
 * An encapsulated record batch message around buffers that lie in a region already, so that nothing
 * of them is copied: prefix and metadata stand before them, and the metadata names each buffer by
 * where it is. Stateless.
 */
final class RegionMessage {

    private static final int CONTINUATION = 0xFFFFFFFF;
    private static final int PREFIX_BYTES = 8;

    private RegionMessage() {}

    /**
     * Bytes to leave free before the buffers of a batch, a multiple of {@link
     * RegionAllocator#ALIGNMENT}.
     */
    static int headBytes(int nodeCount, int bufferCount) {
        // Both kinds of entry are structs of two longs; the rest is a few small tables.
        return (int) RegionAllocator.align(PREFIX_BYTES + 16L * (nodeCount + bufferCount) + 192);
    }

    /** Whether all buffers that hold something lie between the two addresses. */
    static boolean holds(ArrowRecordBatch batch, long start, long end) {
        for (ArrowBuf buffer : batch.getBuffers()) {
            long address = buffer.memoryAddress();
            if (buffer.readableBytes() > 0
                    && (address < start || address + buffer.readableBytes() > end)) {
                return false;
            }
        }
        return true;
    }

    /**
     * Writes prefix and metadata.
     *
     * @param head the bytes up to the body, as many as {@link #headBytes}
     * @param end address behind the last buffer
     */
    static void writeHead(ArrowRecordBatch batch, ByteBuffer head, long end) {
        int headBytes = head.remaining();
        long body = MemoryUtil.getByteBufferAddress(head) + head.position() + headBytes;
        byte[] metadata = metadata(batch, body, end);
        int room = headBytes - PREFIX_BYTES;
        if (metadata.length > room) {
            throw new IllegalStateException(
                    "Metadata of " + metadata.length + " bytes, room for " + room);
        }
        head.order(ByteOrder.LITTLE_ENDIAN);
        // The padding belongs to the metadata, whose own root tells where it ends.
        head.putInt(CONTINUATION).putInt(room).put(metadata);
        while (head.hasRemaining()) {
            head.put((byte) 0);
        }
    }

    private static byte[] metadata(ArrowRecordBatch batch, long body, long end) {
        FlatBufferBuilder builder = new FlatBufferBuilder(512);
        List<ArrowFieldNode> nodes = batch.getNodes();
        RecordBatch.startNodesVector(builder, nodes.size());
        for (int i = nodes.size() - 1; i >= 0; i--) {
            FieldNode.createFieldNode(
                    builder, nodes.get(i).getLength(), nodes.get(i).getNullCount());
        }
        int nodesAt = builder.endVector();
        List<ArrowBuf> buffers = batch.getBuffers();
        RecordBatch.startBuffersVector(builder, buffers.size());
        for (int i = buffers.size() - 1; i >= 0; i--) {
            long bytes = buffers.get(i).readableBytes();
            Buffer.createBuffer(
                    builder, bytes == 0 ? 0 : buffers.get(i).memoryAddress() - body, bytes);
        }
        int buffersAt = builder.endVector();
        RecordBatch.startRecordBatch(builder);
        RecordBatch.addLength(builder, batch.getLength());
        RecordBatch.addNodes(builder, nodesAt);
        RecordBatch.addBuffers(builder, buffersAt);
        int header = RecordBatch.endRecordBatch(builder);
        Message.startMessage(builder);
        Message.addVersion(builder, MetadataVersion.V5);
        Message.addHeaderType(builder, MessageHeader.RecordBatch);
        Message.addHeader(builder, header);
        Message.addBodyLength(builder, end - body);
        builder.finish(Message.endMessage(builder));
        return builder.sizedByteArray();
    }
}
