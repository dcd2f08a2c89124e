package io.asyncbatch.flink.arrow;

import java.nio.ByteBuffer;
import org.apache.arrow.vector.complex.ListVector;

/** {@code float[]} as a list of float32. Owned by its writer's or reader's thread. */
final class FloatArrayConverter extends PrimitiveArrayConverter {

    FloatArrayConverter(ListVector vector, FieldPosition position) {
        super(vector, position);
    }

    @Override
    int lengthOf(Object value) {
        return value instanceof float[] array ? array.length : -1;
    }

    @Override
    void copyIn(Object array, ByteBuffer target) {
        target.asFloatBuffer().put((float[]) array);
    }

    @Override
    Object copyOut(ByteBuffer source, int length) {
        float[] array = new float[length];
        source.asFloatBuffer().get(array);
        return array;
    }
}
