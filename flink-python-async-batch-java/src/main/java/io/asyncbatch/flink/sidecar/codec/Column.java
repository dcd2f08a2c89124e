package io.asyncbatch.flink.sidecar.codec;

import io.asyncbatch.flink.sidecar.Tensor;
import io.asyncbatch.flink.sidecar.TensorDataType;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * How values of one type become a tensor and are read from one: the values' first dimension is that
 * of the batch. Immutable, for any thread.
 *
 * @param <A> the array that holds elements of the values
 */
@Internal
public abstract class Column<A> implements Serializable {

    private static final long serialVersionUID = 1L;

    /** Some virtual machines reserve words of an array's header. */
    private static final int MOST_ELEMENTS = Integer.MAX_VALUE - 8;

    private final Elements<A> elements;
    private final TensorDataType dataType;
    private final long[] shape;

    /**
     * @param dataType null for the elements' own
     * @param shape of a value; -1 where it varies from batch to batch
     */
    Column(Elements<A> elements, TensorDataType dataType, long... shape) {
        this.elements = elements;
        this.dataType = dataType == null ? elements.ownType() : dataType;
        this.shape = shape.clone();
        if (!elements.dataTypes().contains(this.dataType)) {
            throw new IllegalArgumentException(
                    "elements of %s cannot be %s, accepted: %s"
                            .formatted(
                                    elements.arrayClass().getTypeName(),
                                    dataType,
                                    elements.dataTypes()));
        }
        for (long dimension : shape) {
            if (dimension < 1 && dimension != -1) {
                throw new IllegalArgumentException(
                        "dimensions must be positive, or -1 where they vary, got "
                                + Arrays.toString(shape));
            }
        }
    }

    final Elements<A> elements() {
        return elements;
    }

    public final TensorDataType dataType() {
        return dataType;
    }

    /** Of one value; -1 where it varies. */
    public final long[] shape() {
        return shape.clone();
    }

    /**
     * The same values in another data type.
     *
     * @throws IllegalArgumentException if they cannot become it
     */
    public abstract Column<A> as(TensorDataType type);

    /**
     * The same values in another shape.
     *
     * @throws IllegalArgumentException if they cannot have it
     */
    public abstract Column<A> shaped(long... newShape);

    /**
     * @param values not empty; with fast access by index
     * @throws IllegalArgumentException naming the record whose value does not fit
     */
    public final Tensor encode(ColumnName name, List<?> values) {
        if (values.isEmpty()) {
            throw name.inputMisfit("has no records");
        }
        return encodeValues(name, values);
    }

    abstract Tensor encodeValues(ColumnName name, List<?> values);

    /**
     * @return as many values as records
     * @throws IllegalArgumentException naming the output if type, shape or contents do not fit
     */
    public final List<Object> decode(ColumnName name, Tensor tensor, int records) {
        TensorDataType type = tensor.dataType();
        if (type != dataType && !elements.accepted().contains(type)) {
            throw name.outputMisfit("is %s, accepted: %s".formatted(type, acceptedTypes()));
        }
        long[] found = tensor.shape();
        if (found.length == 0 || found[0] != records) {
            throw name.outputMisfit(
                    "has shape %s, expected %d records as first dimension"
                            .formatted(Arrays.toString(found), records));
        }
        long[] ofValue = Arrays.copyOfRange(found, 1, found.length);
        if (!accepts(ofValue)) {
            throw name.outputMisfit(
                    "has shape %s, expected %s"
                            .formatted(Arrays.toString(found), expectedShape(records)));
        }
        // What a value has is little even if there is no value to have it.
        long ofOne = records == 0 ? 0 : tensor.elements() / records;
        ByteBuffer contents = tensor.contents();
        List<Object> values =
                decodeValues(name, contents, type, ofValue, records, Math.toIntExact(ofOne));
        if (contents.hasRemaining()) {
            throw name.outputMisfit(
                    "has %d bytes after its last element".formatted(contents.remaining()));
        }
        return values;
    }

    private List<TensorDataType> acceptedTypes() {
        return elements.accepted().contains(dataType)
                ? elements.accepted()
                : Elements.types(dataType, elements.accepted().toArray(TensorDataType[]::new));
    }

    /** Whether a value may have this shape, none of whose dimensions is negative. */
    abstract boolean accepts(long[] ofValue);

    /** How {@link #accepts} reads in an error. */
    String expectedShape(int records) {
        return Arrays.toString(withRecords(records, shape));
    }

    /** Moves the position past what was read. */
    abstract List<Object> decodeValues(
            ColumnName name,
            ByteBuffer contents,
            TensorDataType type,
            long[] ofValue,
            int records,
            int ofOne);

    static long[] withRecords(int records, long[] ofValue) {
        long[] whole = new long[ofValue.length + 1];
        whole[0] = records;
        System.arraycopy(ofValue, 0, whole, 1, ofValue.length);
        return whole;
    }

    final boolean matchesDeclared(long[] ofValue) {
        boolean matches = ofValue.length == shape.length;
        for (int i = 0; matches && i < shape.length; i++) {
            matches = shape[i] == -1 || shape[i] == ofValue[i];
        }
        return matches;
    }

    /** How many elements an array has to hold. */
    static int elementCount(ColumnName name, int records, long ofOne) {
        if (ofOne > MOST_ELEMENTS / records) {
            throw name.inputMisfit(
                    "is too large: %d records of %d elements".formatted(records, ofOne));
        }
        return (int) (records * ofOne);
    }

    /** Room for a tensor's contents. On the heap, where it costs no more and is gone by itself. */
    static ByteBuffer room(ColumnName name, long bytes) {
        if (bytes > MOST_ELEMENTS) {
            throw name.inputMisfit(
                    "is too large: %d bytes, at most %d are possible"
                            .formatted(bytes, MOST_ELEMENTS));
        }
        return ByteBuffer.allocate((int) bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
}
