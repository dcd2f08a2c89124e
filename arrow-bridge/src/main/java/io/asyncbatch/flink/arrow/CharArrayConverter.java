package io.asyncbatch.flink.arrow;

import java.nio.ByteBuffer;
import org.apache.arrow.vector.complex.ListVector;

/** {@code char[]} as a list of uint16. Owned by its writer's or reader's thread. */
final class CharArrayConverter extends PrimitiveArrayConverter {

    CharArrayConverter(ListVector vector, FieldPosition position) {
        super(vector, position);
    }

    @Override
    int lengthOf(Object value) {
        return value instanceof char[] array ? array.length : -1;
    }

    @Override
    void copyIn(Object array, ByteBuffer target) {
        for (char c : (char[]) array) {
            target.putChar(PrimitiveChars.toWire(c));
        }
    }

    @Override
    Object copyOut(ByteBuffer source, int length) {
        char[] array = new char[length];
        source.asCharBuffer().get(array);
        return array;
    }
}
