package io.asyncbatch.flink.sidecar.codec;

import io.asyncbatch.flink.sidecar.TensorDataType;
import java.nio.ByteBuffer;

/** Truth values, a byte each: 1 or 0. Stateless. */
final class BooleanElements extends Elements<boolean[]> {

    private static final long serialVersionUID = 1L;

    BooleanElements() {
        super(boolean[].class, types(TensorDataType.BOOL), types(TensorDataType.BOOL));
    }

    @Override
    boolean[] allocate(int length) {
        return new boolean[length];
    }

    @Override
    int length(boolean[] array) {
        return array.length;
    }

    @Override
    void set(boolean[] array, int index, Object value) {
        if (!(value instanceof Boolean element)) {
            throw UnfitElementException.wrongClass(value, Boolean.class);
        }
        array[index] = element;
    }

    @Override
    Object get(boolean[] array, int index) {
        return array[index];
    }

    @Override
    void write(boolean[] array, TensorDataType type, ByteBuffer target) {
        for (boolean element : array) {
            target.put((byte) (element ? 1 : 0));
        }
    }

    @Override
    void read(ByteBuffer source, TensorDataType type, boolean[] array) {
        for (int i = 0; i < array.length; i++) {
            byte element = source.get();
            if (element != 0 && element != 1) {
                throw new UnfitElementException(
                                "is the byte %d, BOOL takes 0 and 1".formatted(element))
                        .at(i);
            }
            array[i] = element == 1;
        }
    }
}
