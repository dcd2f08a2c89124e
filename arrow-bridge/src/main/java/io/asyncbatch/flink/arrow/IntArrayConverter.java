package io.asyncbatch.flink.arrow;

import java.nio.ByteBuffer;
import org.apache.arrow.vector.complex.ListVector;

/** {@code int[]} as a list of int32. Owned by its writer's or reader's thread. */
final class IntArrayConverter extends PrimitiveArrayConverter {

    IntArrayConverter(ListVector vector, FieldPosition position) {
        super(vector, position);
    }

    @Override
    int lengthOf(Object value) {
        return value instanceof int[] array ? array.length : -1;
    }

    @Override
    void copyIn(Object array, ByteBuffer target) {
        target.asIntBuffer().put((int[]) array);
    }

    @Override
    Object copyOut(ByteBuffer source, int length) {
        int[] array = new int[length];
        source.asIntBuffer().get(array);
        return array;
    }
}
