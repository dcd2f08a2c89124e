package io.asyncbatch.flink.arrow;

import org.apache.arrow.vector.VarBinaryVector;

/** {@code byte[]}, pickled or plain, as binary. Owned by its writer's or reader's thread. */
final class BytesConverter extends VariableWidthConverter {

    private final VarBinaryVector vector;

    BytesConverter(VarBinaryVector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
    }

    @Override
    long bytesOf(Object value) {
        return value instanceof byte[] bytes ? bytes.length : 0;
    }

    @Override
    void put(int index, Object value) {
        if (!(value instanceof byte[] v)) {
            throw wrongClass(value);
        }
        vector.setSafe(index, v);
    }

    @Override
    Object get(int index) {
        return vector.get(index);
    }
}
