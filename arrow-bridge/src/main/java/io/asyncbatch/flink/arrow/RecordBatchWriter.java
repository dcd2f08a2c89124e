package io.asyncbatch.flink.arrow;

import java.util.List;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.VectorUnloader;
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

    private final VectorSchemaRoot root;
    private final VectorUnloader unloader;
    private final ElementConverter elements;

    private RecordBatchWriter(VectorSchemaRoot root, ElementConverter elements) {
        this.root = root;
        this.unloader = new VectorUnloader(root);
        this.elements = elements;
    }

    /**
     * @param allocator holds the memory of all batches that are encoded and not closed; the caller
     *     closes it after them
     * @throws UnsupportedElementTypeException if the type has no Arrow form
     */
    public static <T> RecordBatchWriter<T> create(
            TypeInformation<T> type, BufferAllocator allocator) {
        ElementType element = ElementTypes.of(type);
        VectorSchemaRoot root =
                VectorSchemaRoot.create(ArrowSchemas.forElement(element), allocator);
        return new RecordBatchWriter<>(root, FieldConverters.bind(element, root));
    }

    /**
     * Encodes the elements in order. Nothing of them is referenced afterwards.
     *
     * @throws ElementEncodingException naming the row and the field that does not fit; all memory
     *     of the batch is released then
     */
    public EncodedBatch encode(List<T> rows) {
        int row = 0;
        try {
            for (FieldVector column : root.getFieldVectors()) {
                column.setInitialCapacity(rows.size());
                column.allocateNew();
            }
            for (T element : rows) {
                elements.writeElement(row, element);
                row++;
            }
            root.setRowCount(row);
            return EncodedBatch.of(unloader.getRecordBatch());
        } catch (FieldMisfitException e) {
            throw new ElementEncodingException(row, e.getMessage(), e);
        } catch (OversizedAllocationException | ArithmeticException e) {
            throw new ElementEncodingException(
                    row, "a column of the batch would hold more than 2 GiB", e);
        } finally {
            // The encoded batch has its own references to the memory.
            root.clear();
        }
    }

    @Override
    public void close() {
        root.close();
    }
}
