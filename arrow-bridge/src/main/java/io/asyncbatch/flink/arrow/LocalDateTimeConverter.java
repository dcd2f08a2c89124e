package io.asyncbatch.flink.arrow;

import java.time.LocalDateTime;
import org.apache.arrow.vector.TimeStampMicroVector;

/**
 * {@code LocalDateTime} as microseconds, which is Python's resolution. Owned by its writer's or
 * reader's thread.
 */
final class LocalDateTimeConverter extends FieldConverter {

    private final TimeStampMicroVector vector;

    LocalDateTimeConverter(TimeStampMicroVector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
    }

    @Override
    void put(int index, Object value) {
        if (!(value instanceof LocalDateTime v)) {
            throw wrongClass(value);
        }
        vector.setSafe(index, PythonDates.toEpochMicro(v, this));
    }

    @Override
    Object get(int index) {
        return PythonDates.fromEpochMicro(vector.get(index), index, this);
    }
}
