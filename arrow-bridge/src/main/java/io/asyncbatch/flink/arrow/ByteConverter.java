package io.asyncbatch.flink.arrow;

import org.apache.arrow.vector.TinyIntVector;

/** {@code Byte} as int8. Owned by its writer's or reader's thread. */
final class ByteConverter extends FieldConverter {

    private final TinyIntVector vector;

    ByteConverter(TinyIntVector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
    }

    @Override
    void put(int index, Object value) {
        if (!(value instanceof Byte v)) {
            throw wrongClass(value);
        }
        vector.setSafe(index, v);
    }

    @Override
    Object get(int index) {
        return vector.get(index);
    }
}
