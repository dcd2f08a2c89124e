package io.asyncbatch.flink.arrow;

import java.nio.ByteBuffer;
import org.apache.arrow.vector.complex.ListVector;

/** {@code long[]} as a list of int64. Owned by its writer's or reader's thread. */
final class LongArrayConverter extends PrimitiveArrayConverter {

    LongArrayConverter(ListVector vector, FieldPosition position) {
        super(vector, position);
    }

    @Override
    int lengthOf(Object value) {
        return value instanceof long[] array ? array.length : -1;
    }

    @Override
    void copyIn(Object array, ByteBuffer target) {
        target.asLongBuffer().put((long[]) array);
    }

    @Override
    Object copyOut(ByteBuffer source, int length) {
        long[] array = new long[length];
        source.asLongBuffer().get(array);
        return array;
    }
}
