package io.asyncbatch.flink.arrow;

import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import org.apache.arrow.vector.VarCharVector;

/**
 * {@code BigDecimal} as its exact decimal string, which keeps the scale. Owned by its writer's or
 * reader's thread.
 */
final class BigDecimalConverter extends FieldConverter {

    private final VarCharVector vector;

    BigDecimalConverter(VarCharVector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
    }

    @Override
    void put(int index, Object value) {
        if (!(value instanceof BigDecimal v)) {
            throw wrongClass(value);
        }
        vector.setSafe(index, v.toString().getBytes(StandardCharsets.US_ASCII));
    }

    @Override
    Object get(int index) {
        String digits = new String(vector.get(index), StandardCharsets.US_ASCII);
        try {
            return new BigDecimal(digits);
        } catch (NumberFormatException e) {
            throw malformed(index, "no decimal number");
        }
    }
}
