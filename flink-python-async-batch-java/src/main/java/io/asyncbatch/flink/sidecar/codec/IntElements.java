package io.asyncbatch.flink.sidecar.codec;

import io.asyncbatch.flink.sidecar.TensorDataType;
import java.nio.ByteBuffer;

/** Ints. Stateless. */
final class IntElements extends NumericElements<int[]> {

    private static final long serialVersionUID = 1L;

    IntElements() {
        super(
                int[].class,
                types(TensorDataType.INT32, NumberConversion.NUMBERS),
                types(
                        TensorDataType.INT32,
                        TensorDataType.INT8,
                        TensorDataType.INT16,
                        TensorDataType.UINT8,
                        TensorDataType.UINT16));
    }

    @Override
    int[] allocate(int length) {
        return new int[length];
    }

    @Override
    int length(int[] array) {
        return array.length;
    }

    @Override
    void set(int[] array, int index, Object value) {
        if (!(value instanceof Integer element)) {
            throw UnfitElementException.wrongClass(value, Integer.class);
        }
        array[index] = element;
    }

    @Override
    Object get(int[] array, int index) {
        return array[index];
    }

    @Override
    void copyIn(int[] array, ByteBuffer target) {
        target.asIntBuffer().put(array);
    }

    @Override
    void copyOut(ByteBuffer source, int[] array) {
        source.asIntBuffer().get(array);
    }

    @Override
    void convertIn(int[] array, TensorDataType type, ByteBuffer target) {
        for (int element : array) {
            NumberConversion.putInteger(target, type, element);
        }
    }

    @Override
    void convertOut(ByteBuffer source, TensorDataType type, int[] array) {
        for (int i = 0; i < array.length; i++) {
            array[i] =
                    (int)
                            NumberConversion.within(
                                    "int",
                                    NumberConversion.getInteger(source, type),
                                    Integer.MIN_VALUE,
                                    Integer.MAX_VALUE);
        }
    }
}
