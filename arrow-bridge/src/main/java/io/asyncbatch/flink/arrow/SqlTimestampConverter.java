package io.asyncbatch.flink.arrow;

import java.sql.Timestamp;
import org.apache.arrow.vector.TimeStampMicroVector;

/**
 * {@code java.sql.Timestamp} as microseconds, by the local calendar fields. Owned by its writer's
 * or reader's thread.
 */
final class SqlTimestampConverter extends FieldConverter {

    private final TimeStampMicroVector vector;

    SqlTimestampConverter(TimeStampMicroVector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
    }

    @Override
    void put(int index, Object value) {
        if (!(value instanceof Timestamp v)) {
            throw wrongClass(value);
        }
        vector.setSafe(index, PythonDates.toEpochMicro(v.toLocalDateTime(), this));
    }

    @Override
    Object get(int index) {
        return Timestamp.valueOf(PythonDates.fromEpochMicro(vector.get(index), index, this));
    }
}
