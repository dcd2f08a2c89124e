package io.asyncbatch.flink.arrow;

import java.nio.charset.StandardCharsets;
import org.apache.arrow.vector.VarCharVector;

/**
 * {@code String} as UTF-8; a lone surrogate becomes '?', as in PyFlink's own serializers. Owned by
 * its writer's or reader's thread.
 */
final class StringConverter extends VariableWidthConverter {

    private final VarCharVector vector;

    StringConverter(VarCharVector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
    }

    /** Right for ASCII; the vector grows for other text. */
    @Override
    long bytesOf(Object value) {
        return value instanceof String text ? text.length() : 0;
    }

    @Override
    void put(int index, Object value) {
        if (!(value instanceof String v)) {
            throw wrongClass(value);
        }
        vector.setSafe(index, v.getBytes(StandardCharsets.UTF_8));
    }

    @Override
    Object get(int index) {
        return new String(vector.get(index), StandardCharsets.UTF_8);
    }
}
