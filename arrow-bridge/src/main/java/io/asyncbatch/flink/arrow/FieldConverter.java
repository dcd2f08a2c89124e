package io.asyncbatch.flink.arrow;

import org.apache.arrow.vector.BaseFixedWidthVector;
import org.apache.arrow.vector.FieldVector;

/**
 * Moves values of one field between Flink's objects and one Arrow vector. Bound to its vector and,
 * like it, owned by the thread of the writer or reader that created it.
 */
abstract class FieldConverter {

    static final long UNKNOWN = -1;

    private final FieldVector vector;
    private final FieldPosition position;

    FieldConverter(FieldVector vector, FieldPosition position) {
        this.vector = vector;
        this.position = position;
    }

    /** Whether {@link #measure} has to see the values before {@link #allocate}. */
    boolean differInSize() {
        return false;
    }

    /** Counts in a value that will be written; one that does not fit counts nothing. */
    void measure(Object value) {}

    /**
     * About what {@link #allocate} will take for the measured values, or {@link #UNKNOWN} if the
     * vector grows while they are written.
     */
    long plannedBytes(int rows) {
        return vector instanceof BaseFixedWidthVector fixed
                ? bufferBytes(rows, Math.max(fixed.getTypeWidth(), 1)) + bufferBytes(rows, 1)
                : UNKNOWN;
    }

    /** Gives the vector memory for so many values, and forgets what was measured. */
    void allocate(int rows) {
        vector.setInitialCapacity(rows);
        vector.allocateNew();
    }

    /** At least what a buffer of so many entries takes. */
    static long bufferBytes(long entries, int width) {
        return RegionAllocator.align(entries * width + RegionAllocator.ALIGNMENT);
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
