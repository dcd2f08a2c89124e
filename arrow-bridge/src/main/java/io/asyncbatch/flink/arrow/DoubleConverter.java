package io.asyncbatch.flink.arrow;

import org.apache.arrow.vector.Float8Vector;

/** {@code Double} as float64. Owned by its writer's or reader's thread. */
final class DoubleConverter extends FieldConverter {

    private final Float8Vector vector;

    DoubleConverter(Float8Vector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
    }

    @Override
    void put(int index, Object value) {
        if (!(value instanceof Double v)) {
            throw wrongClass(value);
        }
        vector.setSafe(index, v);
    }

    @Override
    Object get(int index) {
        return vector.get(index);
    }
}
