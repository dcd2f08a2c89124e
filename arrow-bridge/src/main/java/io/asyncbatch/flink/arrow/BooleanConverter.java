package io.asyncbatch.flink.arrow;

import org.apache.arrow.vector.BitVector;

/** {@code Boolean} as a bit. Owned by its writer's or reader's thread. */
final class BooleanConverter extends FieldConverter {

    private final BitVector vector;

    BooleanConverter(BitVector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
    }

    @Override
    void put(int index, Object value) {
        if (!(value instanceof Boolean v)) {
            throw wrongClass(value);
        }
        vector.setSafe(index, v ? 1 : 0);
    }

    @Override
    Object get(int index) {
        return vector.get(index) != 0;
    }
}
