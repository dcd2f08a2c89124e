package io.asyncbatch.flink.arrow;

import org.apache.arrow.vector.BigIntVector;

/** {@code Long} as int64. Owned by its writer's or reader's thread. */
final class LongConverter extends FieldConverter {

    private final BigIntVector vector;

    LongConverter(BigIntVector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
    }

    @Override
    void put(int index, Object value) {
        if (!(value instanceof Long v)) {
            throw wrongClass(value);
        }
        vector.setSafe(index, v);
    }

    @Override
    Object get(int index) {
        return vector.get(index);
    }
}
