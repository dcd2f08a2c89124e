package io.asyncbatch.flink.arrow;

import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.apache.arrow.flatbuf.RecordBatch;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.ForeignAllocation;
import org.apache.arrow.memory.util.MemoryUtil;
import org.apache.arrow.vector.VectorLoader;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.ipc.message.ArrowRecordBatch;
import org.apache.arrow.vector.ipc.message.MessageSerializer;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;

/**
 * Decodes Arrow record batches to lists of elements. Owned by one thread, in the worker the one
 * that reads the channel. Trusts nothing in the bytes: whatever they hold, it returns elements or
 * throws {@link MalformedBatchException}.
 *
 * @param <T> type of the elements
 */
@Internal
public final class RecordBatchReader<T> implements AutoCloseable {

    private final BufferAllocator allocator;
    private final VectorSchemaRoot root;
    private final VectorLoader loader;
    private final ElementConverter elements;

    private RecordBatchReader(
            BufferAllocator allocator, VectorSchemaRoot root, ElementConverter elements) {
        this.allocator = allocator;
        this.root = root;
        this.loader = new VectorLoader(root);
        this.elements = elements;
    }

    /**
     * @param allocator accounts for the bytes while they are read; the caller closes it
     * @throws UnsupportedElementTypeException if the type has no Arrow form
     */
    public static <T> RecordBatchReader<T> create(
            TypeInformation<T> type, BufferAllocator allocator) {
        ElementType element = ElementTypes.of(type);
        VectorSchemaRoot root =
                VectorSchemaRoot.create(ArrowSchemas.forElement(element), allocator);
        return new RecordBatchReader<>(allocator, root, FieldConverters.bind(element, root));
    }

    /**
     * Decodes one encapsulated record batch message that spans the buffer from position to limit.
     * The buffer is left as it is and not referenced afterwards.
     *
     * @throws MalformedBatchException if the bytes are not a batch of this type and row count
     */
    public List<T> read(ByteBuffer body, int expectedRows) {
        RecordBatchMessage message = RecordBatchMessage.parse(body);
        BatchLayout.check(root.getSchema(), message, expectedRows);
        try {
            load(message);
            return elements(expectedRows);
        } finally {
            root.clear();
            Reference.reachabilityFence(body);
        }
    }

    /**
     * Decodes a batch of another party in this process, where it lies. The other party has made
     * sure that its columns are sound; nothing of it is referenced afterwards.
     *
     * @param struct address of the {@code struct ArrowArray} that describes it
     * @throws MalformedBatchException if it is not a batch of this type and row count
     */
    public List<T> read(long struct, int expectedRows) {
        try (ArrowRecordBatch batch =
                BorrowedBatch.view(struct, root.getSchema(), expectedRows, allocator)) {
            loader.load(batch);
            return elements(expectedRows);
        } finally {
            root.clear();
        }
    }

    private void load(RecordBatchMessage message) {
        RecordBatch batch = message.batch();
        // Takes over the buffer that it is given, also the reference to it.
        try (ArrowRecordBatch loaded =
                MessageSerializer.deserializeRecordBatch(batch, wrap(message.body()))) {
            loader.load(loaded);
        } catch (IOException | IllegalArgumentException e) {
            throw new MalformedBatchException("The record batch does not fit its schema.", e);
        }
    }

    @SuppressWarnings("unchecked")
    private List<T> elements(int rows) {
        List<T> list = new ArrayList<>(rows);
        for (int row = 0; row < rows; row++) {
            list.add((T) elements.readElement(row));
        }
        return list;
    }

    private ArrowBuf wrap(ByteBuffer bytes) {
        if (!bytes.hasRemaining()) {
            return allocator.getEmpty();
        }
        if (!bytes.isDirect()) {
            ArrowBuf copy = allocator.buffer(bytes.remaining());
            copy.setBytes(0, bytes);
            return copy;
        }
        long address = MemoryUtil.getByteBufferAddress(bytes) + bytes.position();
        return allocator.wrapForeignAllocation(
                new ForeignAllocation(bytes.remaining(), address) {
                    @Override
                    protected void release0() {
                        // The caller of read() owns the memory.
                    }
                });
    }

    @Override
    public void close() {
        root.close();
    }
}
