package io.asyncbatch.flink.arrow;

import org.apache.arrow.vector.BitVector;
import org.apache.arrow.vector.complex.ListVector;

/** {@code boolean[]} as a list of bits. Owned by its writer's or reader's thread. */
final class BooleanArrayConverter extends FieldConverter {

    private final ListVector vector;
    private final BitVector elements;

    BooleanArrayConverter(ListVector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
        this.elements = (BitVector) vector.getDataVector();
    }

    @Override
    void put(int index, Object value) {
        if (!(value instanceof boolean[] array)) {
            throw wrongClass(value);
        }
        int child = vector.startNewValue(index);
        for (boolean bit : array) {
            elements.setSafe(child++, bit ? 1 : 0);
        }
        vector.endValue(index, array.length);
    }

    @Override
    Object get(int index) {
        int start = vector.getElementStartIndex(index);
        boolean[] array = new boolean[vector.getElementEndIndex(index) - start];
        for (int i = 0; i < array.length; i++) {
            if (elements.isNull(start + i)) {
                throw malformed(index, "a null element");
            }
            array[i] = elements.get(start + i) != 0;
        }
        return array;
    }
}
