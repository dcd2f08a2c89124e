package io.asyncbatch.flink.arrow;

import org.apache.arrow.vector.Float4Vector;

/** {@code Float} as float32. Owned by its writer's or reader's thread. */
final class FloatConverter extends FieldConverter {

    private final Float4Vector vector;

    FloatConverter(Float4Vector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
    }

    @Override
    void put(int index, Object value) {
        if (!(value instanceof Float v)) {
            throw wrongClass(value);
        }
        vector.setSafe(index, v);
    }

    @Override
    Object get(int index) {
        return vector.get(index);
    }
}
