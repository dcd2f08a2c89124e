package io.asyncbatch.flink.sidecar.codec;

import io.asyncbatch.flink.sidecar.TensorDataType;
import java.nio.ByteBuffer;

/** Shorts. Stateless. */
final class ShortElements extends NumericElements<short[]> {

    private static final long serialVersionUID = 1L;

    ShortElements() {
        super(
                short[].class,
                types(TensorDataType.INT16, NumberConversion.NUMBERS),
                types(TensorDataType.INT16, TensorDataType.INT8, TensorDataType.UINT8));
    }

    @Override
    short[] allocate(int length) {
        return new short[length];
    }

    @Override
    int length(short[] array) {
        return array.length;
    }

    @Override
    void set(short[] array, int index, Object value) {
        if (!(value instanceof Short element)) {
            throw UnfitElementException.wrongClass(value, Short.class);
        }
        array[index] = element;
    }

    @Override
    Object get(short[] array, int index) {
        return array[index];
    }

    @Override
    void copyIn(short[] array, ByteBuffer target) {
        target.asShortBuffer().put(array);
    }

    @Override
    void copyOut(ByteBuffer source, short[] array) {
        source.asShortBuffer().get(array);
    }

    @Override
    void convertIn(short[] array, TensorDataType type, ByteBuffer target) {
        for (short element : array) {
            NumberConversion.putInteger(target, type, element);
        }
    }

    @Override
    void convertOut(ByteBuffer source, TensorDataType type, short[] array) {
        for (int i = 0; i < array.length; i++) {
            array[i] =
                    (short)
                            NumberConversion.within(
                                    "short",
                                    NumberConversion.getInteger(source, type),
                                    Short.MIN_VALUE,
                                    Short.MAX_VALUE);
        }
    }
}
