package io.asyncbatch.flink.arrow;

import java.nio.ByteBuffer;
import org.apache.arrow.vector.complex.ListVector;

/** {@code double[]} as a list of float64. Owned by its writer's or reader's thread. */
final class DoubleArrayConverter extends PrimitiveArrayConverter {

    DoubleArrayConverter(ListVector vector, FieldPosition position) {
        super(vector, position);
    }

    @Override
    int lengthOf(Object value) {
        return value instanceof double[] array ? array.length : -1;
    }

    @Override
    void copyIn(Object array, ByteBuffer target) {
        target.asDoubleBuffer().put((double[]) array);
    }

    @Override
    Object copyOut(ByteBuffer source, int length) {
        double[] array = new double[length];
        source.asDoubleBuffer().get(array);
        return array;
    }
}
