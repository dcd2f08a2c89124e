package io.asyncbatch.flink.sidecar.codec;

import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;

/** An array of the table runtime, of primitive elements. Stateless. */
final class ArrayDataForm implements ArrayForm {

    private static final long serialVersionUID = 1L;

    private final LogicalTypeRoot element;

    ArrayDataForm(LogicalType elementType) {
        element = elementType.getTypeRoot();
    }

    @Override
    public Object arrayOf(Object value) {
        if (!(value instanceof ArrayData array)) {
            throw UnfitElementException.wrongClass(value, ArrayData.class);
        }
        requireNoNull(array);
        return switch (element) {
            case BOOLEAN -> array.toBooleanArray();
            case TINYINT -> array.toByteArray();
            case SMALLINT -> array.toShortArray();
            case INTEGER -> array.toIntArray();
            case BIGINT -> array.toLongArray();
            case FLOAT -> array.toFloatArray();
            case DOUBLE -> array.toDoubleArray();
            default -> throw noPrimitive();
        };
    }

    private static void requireNoNull(ArrayData array) {
        if (array instanceof GenericArrayData generic && generic.isPrimitiveArray()) {
            return;
        }
        for (int i = 0; i < array.size(); i++) {
            if (array.isNullAt(i)) {
                throw new UnfitElementException(
                        "has element %d that is null, which a tensor cannot hold".formatted(i));
            }
        }
    }

    @Override
    public Object valueOf(Object array) {
        return switch (element) {
            case BOOLEAN -> new GenericArrayData((boolean[]) array);
            case TINYINT -> new GenericArrayData((byte[]) array);
            case SMALLINT -> new GenericArrayData((short[]) array);
            case INTEGER -> new GenericArrayData((int[]) array);
            case BIGINT -> new GenericArrayData((long[]) array);
            case FLOAT -> new GenericArrayData((float[]) array);
            case DOUBLE -> new GenericArrayData((double[]) array);
            default -> throw noPrimitive();
        };
    }

    private IllegalStateException noPrimitive() {
        return new IllegalStateException(element + " is not primitive");
    }
}
