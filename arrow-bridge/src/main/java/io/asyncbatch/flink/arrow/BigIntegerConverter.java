package io.asyncbatch.flink.arrow;

import java.math.BigInteger;
import org.apache.arrow.vector.VarBinaryVector;

/** {@code BigInteger} as big-endian two's complement. Owned by its writer's or reader's thread. */
final class BigIntegerConverter extends FieldConverter {

    private final VarBinaryVector vector;

    BigIntegerConverter(VarBinaryVector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
    }

    @Override
    void put(int index, Object value) {
        if (!(value instanceof BigInteger v)) {
            throw wrongClass(value);
        }
        vector.setSafe(index, v.toByteArray());
    }

    @Override
    Object get(int index) {
        byte[] bytes = vector.get(index);
        if (bytes.length == 0) {
            throw malformed(index, "no digits");
        }
        return new BigInteger(bytes);
    }
}
