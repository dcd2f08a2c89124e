package io.asyncbatch.flink.arrow;

import org.apache.arrow.vector.FieldVector;

/**
 * Moves values of one field between Flink's objects and one Arrow vector. Bound to its vector and,
 * like it, owned by the thread of the writer or reader that created it.
 */
abstract class FieldConverter {

    private final FieldVector vector;
    private final FieldPosition position;

    FieldConverter(FieldVector vector, FieldPosition position) {
        this.vector = vector;
        this.position = position;
    }

    /** Writes a value, growing the vector as needed. */
    final void write(int index, Object value) {
        if (value != null) {
            put(index, value);
        } else if (position.nullable()) {
            vector.setNull(index);
        } else {
            throw misfit("null");
        }
    }

    /** Reads a value that shares nothing with the vector. */
    final Object read(int index) {
        if (!vector.isNull(index)) {
            return get(index);
        }
        if (position.nullable()) {
            return null;
        }
        throw new MalformedBatchException(
                "Field '"
                        + position.path()
                        + "' is null at position "
                        + index
                        + ", but its type "
                        + position.type()
                        + " allows no null.");
    }

    /** Writes a value that is not null. */
    abstract void put(int index, Object value);

    /** Reads a value that is not null. */
    abstract Object get(int index);

    final FieldMisfitException wrongClass(Object value) {
        return misfit("an object of class " + value.getClass().getName());
    }

    final FieldMisfitException misfit(String found) {
        return new FieldMisfitException(position.path(), position.type(), found);
    }

    final MalformedBatchException malformed(int index, String what) {
        return new MalformedBatchException(
                "Field '"
                        + position.path()
                        + "' of type "
                        + position.type()
                        + " holds "
                        + what
                        + " at position "
                        + index
                        + ".");
    }
}
