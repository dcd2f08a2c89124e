package io.asyncbatch.flink.arrow;

import java.nio.ByteBuffer;
import org.apache.arrow.vector.complex.ListVector;

/** {@code short[]} as a list of int16. Owned by its writer's or reader's thread. */
final class ShortArrayConverter extends PrimitiveArrayConverter {

    ShortArrayConverter(ListVector vector, FieldPosition position) {
        super(vector, position);
    }

    @Override
    int lengthOf(Object value) {
        return value instanceof short[] array ? array.length : -1;
    }

    @Override
    void copyIn(Object array, ByteBuffer target) {
        target.asShortBuffer().put((short[]) array);
    }

    @Override
    Object copyOut(ByteBuffer source, int length) {
        short[] array = new short[length];
        source.asShortBuffer().get(array);
        return array;
    }
}
