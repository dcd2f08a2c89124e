package io.asyncbatch.flink.sidecar.codec;

import io.asyncbatch.flink.sidecar.TensorDataType;
import java.nio.ByteBuffer;

/** Longs. Stateless. */
final class LongElements extends NumericElements<long[]> {

    private static final long serialVersionUID = 1L;

    LongElements() {
        super(
                long[].class,
                types(TensorDataType.INT64, NumberConversion.NUMBERS),
                types(
                        TensorDataType.INT64,
                        TensorDataType.INT8,
                        TensorDataType.INT16,
                        TensorDataType.INT32,
                        TensorDataType.UINT8,
                        TensorDataType.UINT16,
                        TensorDataType.UINT32,
                        TensorDataType.UINT64));
    }

    @Override
    long[] allocate(int length) {
        return new long[length];
    }

    @Override
    int length(long[] array) {
        return array.length;
    }

    @Override
    void set(long[] array, int index, Object value) {
        if (!(value instanceof Long element)) {
            throw UnfitElementException.wrongClass(value, Long.class);
        }
        array[index] = element;
    }

    @Override
    Object get(long[] array, int index) {
        return array[index];
    }

    @Override
    void copyIn(long[] array, ByteBuffer target) {
        target.asLongBuffer().put(array);
    }

    @Override
    void copyOut(ByteBuffer source, long[] array) {
        source.asLongBuffer().get(array);
    }

    @Override
    void convertIn(long[] array, TensorDataType type, ByteBuffer target) {
        for (long element : array) {
            NumberConversion.putInteger(target, type, element);
        }
    }

    @Override
    void convertOut(ByteBuffer source, TensorDataType type, long[] array) {
        for (int i = 0; i < array.length; i++) {
            array[i] = NumberConversion.getInteger(source, type);
        }
    }
}
