package io.asyncbatch.flink.arrow;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.List;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.flink.api.common.typeinfo.TypeInformation;

/**
 * Writer and reader of one type with their allocators, for one test; closing it asserts that no
 * byte is left.
 */
final class Codec<T> implements AutoCloseable {

    private final BridgeAllocator allocator = new BridgeAllocator("test", 1L << 28);
    private final BufferAllocator writing = allocator.child("write", 1L << 27);
    final BufferAllocator reading = allocator.child("read", 1L << 27);
    final RecordBatchWriter<T> writer;
    final RecordBatchReader<T> reader;

    Codec(TypeInformation<T> type) {
        writer = RecordBatchWriter.create(type, writing);
        reader = RecordBatchReader.create(type, reading);
    }

    byte[] encode(List<T> rows) {
        try (EncodedBatch batch = writer.encode(rows)) {
            return bytes(batch);
        }
    }

    List<T> decode(byte[] bytes, int rows) {
        ByteBuffer direct = ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
        List<T> decoded = reader.read(direct, rows);
        assertThat(reading.getAllocatedMemory()).isZero();
        return decoded;
    }

    /** Lets the reader read the batch where it lies, as Python does in the same process. */
    List<T> lend(List<T> rows) {
        try (LentBatch batch = writer.lend(rows);
                ArrowBuf struct = reading.buffer(CDataStruct.BYTES)) {
            batch.lend(struct.memoryAddress(), 1, 1);
            return reader.read(struct.memoryAddress(), rows.size());
        }
    }

    long heldBytes() {
        return allocator.allocatedBytes();
    }

    static byte[] bytes(EncodedBatch batch) {
        ByteBuffer all = ByteBuffer.allocate((int) batch.byteCount());
        for (ByteBuffer piece : batch.buffers()) {
            assertThat(piece.isReadOnly()).isTrue();
            all.put(piece);
        }
        assertThat(all.hasRemaining()).isFalse();
        return all.array();
    }

    @Override
    public void close() {
        assertThat(allocator.allocatedBytes()).isZero();
        writer.close();
        reader.close();
        allocator.close();
    }
}
