package io.asyncbatch.flink.arrow;

import io.asyncbatch.flink.arrow.SharedRegions.Region;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.Supplier;
import javax.annotation.Nullable;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.util.MemoryUtil;
import org.apache.arrow.vector.TypeLayout;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.VectorUnloader;
import org.apache.arrow.vector.ipc.message.ArrowRecordBatch;
import org.apache.arrow.vector.types.pojo.Field;
import org.apache.arrow.vector.util.OversizedAllocationException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;

/**
 * Encodes lists of elements as Arrow record batches. Owned by one thread, in the operator the
 * mailbox thread; the batches it returns may travel. The vectors are kept from batch to batch,
 * their memory goes with the batch.
 *
 * @param <T> type of the elements
 */
@Internal
public final class RecordBatchWriter<T> implements AutoCloseable {

    private final BufferAllocator allocator;
    private final VectorSchemaRoot root;
    private final VectorUnloader unloader;
    private final ElementConverter elements;
    private final int headBytes;

    /** Null if buffers cannot be made in a region. */
    @Nullable private final RegionAllocator cutter;

    private RecordBatchWriter(
            BufferAllocator allocator, VectorSchemaRoot root, ElementConverter elements) {
        this.allocator = allocator;
        this.root = root;
        this.unloader = new VectorUnloader(root);
        this.elements = elements;
        this.cutter = allocator instanceof RegionAllocator regions ? regions : null;
        List<Field> columns = root.getSchema().getFields();
        this.headBytes = RegionMessage.headBytes(nodeCount(columns), bufferCount(columns));
    }

    private static int nodeCount(List<Field> fields) {
        return fields.stream().mapToInt(field -> 1 + nodeCount(field.getChildren())).sum();
    }

    private static int bufferCount(List<Field> fields) {
        return fields.stream()
                .mapToInt(
                        field ->
                                TypeLayout.getTypeBufferCount(field.getType())
                                        + bufferCount(field.getChildren()))
                .sum();
    }

    /**
     * @param allocator holds the memory of all batches that are encoded and not closed; the caller
     *     closes it after them. One of {@link BridgeAllocator#regionChild} lets batches be made in
     *     shared memory
     * @throws UnsupportedElementTypeException if the type has no Arrow form
     */
    public static <T> RecordBatchWriter<T> create(
            TypeInformation<T> type, BufferAllocator allocator) {
        ElementType element = ElementTypes.of(type);
        VectorSchemaRoot root =
                VectorSchemaRoot.create(ArrowSchemas.forElement(element), allocator);
        return new RecordBatchWriter<>(allocator, root, FieldConverters.bind(element, root));
    }

    /**
     * Encodes the elements in order. Nothing of them is referenced afterwards.
     *
     * @throws ElementEncodingException naming the row and the field that does not fit; all memory
     *     of the batch is released then
     */
    public EncodedBatch encode(List<T> rows) {
        return encode(rows, SharedRegions.NONE);
    }

    /**
     * Encodes the elements in order, in a region of shared memory if the regions have one. Where
     * the size of all columns is known beforehand their buffers are made in the region; otherwise
     * they are copied there.
     *
     * @throws ElementEncodingException as {@link #encode(List)}
     */
    public EncodedBatch encode(List<T> rows, SharedRegions regions) {
        measure(rows);
        long planned = elements.plannedBytes(rows.size());
        Region region =
                cutter == null || planned == FieldConverter.UNKNOWN
                        ? null
                        : regions.take(headBytes + planned);
        EncodedBatch encoded;
        try {
            encoded =
                    region == null
                            ? EncodedBatch.inPieces(write(rows), () -> {})
                            : inRegion(rows, region);
        } catch (Throwable t) {
            if (region != null) {
                region.giveBack();
            }
            throw t;
        }
        if (encoded.region().isPresent()) {
            return encoded;
        }
        Region copy = regions.take(encoded.byteCount());
        return copy == null ? encoded : encoded.copiedTo(copy);
    }

    private EncodedBatch inRegion(List<T> rows, Region region) {
        ByteBuffer bytes = region.bytes();
        long start = MemoryUtil.getByteBufferAddress(bytes);
        ArrowRecordBatch batch;
        long end;
        cutter.cutFrom(start + headBytes, bytes.remaining() - headBytes);
        try {
            batch = write(rows);
            end = cutter.cutUpTo();
        } finally {
            cutter.cutFrom(0, 0);
        }
        if (!RegionMessage.holds(batch, start, end)) {
            // It grew past what was planned, as text that is not ASCII does.
            return EncodedBatch.inPieces(batch, region::giveBack);
        }
        try (batch) {
            RegionMessage.writeHead(batch, bytes.slice(0, headBytes), end);
        }
        return EncodedBatch.inRegion(region, end - start);
    }

    /** As {@link #encode(List)}, but for a reader in this process. */
    public LentBatch lend(List<T> rows) {
        measure(rows);
        return write(rows, () -> LentBatch.of(root, allocator));
    }

    private void measure(List<T> rows) {
        if (elements.differInSize()) {
            for (T element : rows) {
                elements.measure(element);
            }
        }
    }

    private ArrowRecordBatch write(List<T> rows) {
        return write(rows, unloader::getRecordBatch);
    }

    /** Writes the rows to the vectors and has a batch made of them. */
    private <B> B write(List<T> rows, Supplier<B> batch) {
        int row = 0;
        try {
            elements.allocate(rows.size());
            for (T element : rows) {
                elements.writeElement(row, element);
                row++;
            }
            root.setRowCount(row);
            return batch.get();
        } catch (FieldMisfitException e) {
            throw new ElementEncodingException(row, e.getMessage(), e);
        } catch (OversizedAllocationException | ArithmeticException e) {
            throw new ElementEncodingException(
                    row, "a column of the batch would hold more than 2 GiB", e);
        } finally {
            // The batch has its own references to the memory.
            root.clear();
        }
    }

    @Override
    public void close() {
        root.close();
    }
}
