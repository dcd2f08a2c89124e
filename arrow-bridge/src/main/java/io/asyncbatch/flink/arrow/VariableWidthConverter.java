package io.asyncbatch.flink.arrow;

import org.apache.arrow.vector.BaseVariableWidthVector;

/**
 * Values of differing size in one buffer, allocated once for all of them. Owned by its writer's or
 * reader's thread.
 */
abstract class VariableWidthConverter extends FieldConverter {

    private final BaseVariableWidthVector vector;
    private long measuredBytes;

    VariableWidthConverter(BaseVariableWidthVector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
    }

    /** Bytes of a value, or of most like it; 0 for one that does not fit. */
    abstract long bytesOf(Object value);

    @Override
    final boolean differInSize() {
        return true;
    }

    @Override
    final void measure(Object value) {
        measuredBytes += bytesOf(value);
    }

    @Override
    final long plannedBytes(int rows) {
        return measuredBytes + bufferBytes(rows + 1L, Integer.BYTES) + bufferBytes(rows, 1);
    }

    @Override
    final void allocate(int rows) {
        long bytes = measuredBytes;
        measuredBytes = 0;
        vector.allocateNew(Math.max(bytes, 1), rows);
    }
}
