package io.asyncbatch.flink.arrow;

import org.apache.arrow.vector.UInt2Vector;

/**
 * {@code Character} as uint16; a surrogate becomes '?', as it is no text of its own. Owned by its
 * writer's or reader's thread.
 */
final class CharConverter extends FieldConverter {

    private final UInt2Vector vector;

    CharConverter(UInt2Vector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
    }

    @Override
    void put(int index, Object value) {
        if (!(value instanceof Character c)) {
            throw wrongClass(value);
        }
        vector.setSafe(index, PrimitiveChars.toWire(c));
    }

    @Override
    Object get(int index) {
        return vector.get(index);
    }
}
