package io.asyncbatch.flink.arrow;

import java.util.ArrayList;
import java.util.List;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.util.MemoryUtil;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.flink.annotation.Internal;

/**
 * A record batch that another party in this process reads where it lies, by structs of the Arrow C
 * Data Interface. Its memory is held until it is closed, which must be after the other party has
 * let go of it. Any one thread at a time.
 *
 * <p>Without Arrow's own module for that interface: its native library holds on to the class loader
 * that loaded it for as long as the JVM lives.
 */
@Internal
public final class LentBatch implements AutoCloseable {

    private static final long NONE = 0;

    private final BufferAllocator allocator;
    private final long rowCount;
    private final List<ArrowBuf> held = new ArrayList<>();
    private final List<Long> children = new ArrayList<>();
    private long byteCount;
    private long columns;
    private int columnCount;

    private LentBatch(BufferAllocator allocator, long rowCount) {
        this.allocator = allocator;
        this.rowCount = rowCount;
    }

    /** A batch with its own references to the memory of the vectors. */
    static LentBatch of(VectorSchemaRoot root, BufferAllocator allocator) {
        LentBatch batch = new LentBatch(allocator, root.getRowCount());
        try {
            List<FieldVector> vectors = root.getFieldVectors();
            for (FieldVector vector : vectors) {
                batch.byteCount += vector.getBufferSize();
            }
            batch.columnCount = vectors.size();
            batch.columns = batch.describe(vectors);
            return batch;
        } catch (Throwable t) {
            batch.close();
            throw t;
        }
    }

    /** Writes the structs of arrays that lie side by side, and returns where the pointers are. */
    private long describe(List<FieldVector> vectors) {
        if (vectors.isEmpty()) {
            return NONE;
        }
        long pointerBytes = (long) vectors.size() * Long.BYTES;
        long pointers = allocate(pointerBytes + vectors.size() * CDataStruct.BYTES);
        for (int i = 0; i < vectors.size(); i++) {
            long struct = pointers + pointerBytes + i * CDataStruct.BYTES;
            MemoryUtil.putLong(pointers + (long) i * Long.BYTES, struct);
            describe(struct, vectors.get(i));
        }
        return pointers;
    }

    private void describe(long struct, FieldVector vector) {
        List<FieldVector> below = vector.getChildrenFromFields();
        int bufferCount = vector.getExportedCDataBufferCount();
        ArrowBuf pointers = allocator.buffer((long) bufferCount * Long.BYTES);
        held.add(pointers);
        List<ArrowBuf> buffers = new ArrayList<>(bufferCount);
        vector.exportCDataBuffers(buffers, pointers, NONE);
        buffers.stream().filter(buffer -> buffer != null).forEach(held::add);
        write(
                struct,
                vector.getValueCount(),
                vector.getNullCount(),
                bufferCount,
                pointers.memoryAddress(),
                below.size(),
                describe(below));
        children.add(struct);
    }

    private static void write(
            long struct,
            long length,
            long nullCount,
            long bufferCount,
            long buffers,
            long childCount,
            long children) {
        CDataStruct.put(struct, CDataStruct.LENGTH, length);
        CDataStruct.put(struct, CDataStruct.NULL_COUNT, nullCount);
        CDataStruct.put(struct, CDataStruct.OFFSET, 0);
        CDataStruct.put(struct, CDataStruct.BUFFER_COUNT, bufferCount);
        CDataStruct.put(struct, CDataStruct.CHILD_COUNT, childCount);
        CDataStruct.put(struct, CDataStruct.BUFFERS, buffers);
        CDataStruct.put(struct, CDataStruct.CHILDREN, children);
        CDataStruct.put(struct, CDataStruct.DICTIONARY, NONE);
        CDataStruct.put(struct, CDataStruct.PRIVATE_DATA, NONE);
    }

    private long allocate(long bytes) {
        ArrowBuf memory = allocator.buffer(bytes);
        held.add(memory);
        return memory.memoryAddress();
    }

    /** Bytes of the columns. */
    public long byteCount() {
        return byteCount;
    }

    /**
     * Describes the batch to the other party, as a struct array whose members are the columns.
     *
     * @param struct address of a {@code struct ArrowArray} of the other party
     * @param release address of the function that it calls when it lets go; has to mark the struct
     *     as released
     * @param id for the other party, as the struct's private data, not 0. It puts in its place, and
     *     in that of the 0 in arrays below, what that function expects, before anybody releases one
     */
    public void lend(long struct, long release, long id) {
        for (long child : children) {
            CDataStruct.put(child, CDataStruct.RELEASE, release);
        }
        // A record batch has one buffer, for validity, and does not use it.
        long noBuffers = allocate(Long.BYTES);
        MemoryUtil.putLong(noBuffers, NONE);
        write(struct, rowCount, 0, 1, noBuffers, columnCount, columns);
        CDataStruct.put(struct, CDataStruct.RELEASE, release);
        CDataStruct.put(struct, CDataStruct.PRIVATE_DATA, id);
    }

    /** Releases the memory; more than once does nothing. */
    @Override
    public void close() {
        held.forEach(ArrowBuf::close);
        held.clear();
    }
}
