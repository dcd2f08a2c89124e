package io.asyncbatch.flink.arrow;

import org.apache.arrow.vector.IntVector;

/** {@code Integer} as int32. Owned by its writer's or reader's thread. */
final class IntConverter extends FieldConverter {

    private final IntVector vector;

    IntConverter(IntVector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
    }

    @Override
    void put(int index, Object value) {
        if (!(value instanceof Integer v)) {
            throw wrongClass(value);
        }
        vector.setSafe(index, v);
    }

    @Override
    Object get(int index) {
        return vector.get(index);
    }
}
