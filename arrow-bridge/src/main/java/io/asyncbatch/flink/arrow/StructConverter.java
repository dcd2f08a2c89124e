package io.asyncbatch.flink.arrow;

import org.apache.arrow.vector.complex.StructVector;

/** A nested row or tuple as a struct. Owned by its writer's or reader's thread. */
final class StructConverter extends FieldConverter {

    private final StructVector vector;
    private final ElementConverter members;

    StructConverter(StructVector vector, FieldPosition position, ElementConverter members) {
        super(vector, position);
        this.vector = vector;
        this.members = members;
    }

    @Override
    void put(int index, Object value) {
        vector.setIndexDefined(index);
        members.writeElement(index, value);
    }

    @Override
    Object get(int index) {
        return members.readElement(index);
    }
}
