package io.asyncbatch.flink.arrow;

import java.time.LocalTime;
import org.apache.arrow.vector.TimeMicroVector;

/**
 * {@code LocalTime} as microseconds of the day, which is Python's resolution. Owned by its writer's
 * or reader's thread.
 */
final class LocalTimeConverter extends FieldConverter {

    private final TimeMicroVector vector;

    LocalTimeConverter(TimeMicroVector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
    }

    @Override
    void put(int index, Object value) {
        if (!(value instanceof LocalTime v)) {
            throw wrongClass(value);
        }
        vector.setSafe(index, v.toNanoOfDay() / 1_000);
    }

    @Override
    Object get(int index) {
        return LocalTime.ofNanoOfDay(
                PythonDates.checkMicroOfDay(vector.get(index), index, this) * 1_000);
    }
}
