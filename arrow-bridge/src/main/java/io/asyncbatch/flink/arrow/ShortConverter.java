package io.asyncbatch.flink.arrow;

import org.apache.arrow.vector.SmallIntVector;

/** {@code Short} as int16. Owned by its writer's or reader's thread. */
final class ShortConverter extends FieldConverter {

    private final SmallIntVector vector;

    ShortConverter(SmallIntVector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
    }

    @Override
    void put(int index, Object value) {
        if (!(value instanceof Short v)) {
            throw wrongClass(value);
        }
        vector.setSafe(index, v);
    }

    @Override
    Object get(int index) {
        return vector.get(index);
    }
}
