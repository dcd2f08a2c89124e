package io.asyncbatch.flink.arrow;

import java.time.LocalDate;
import org.apache.arrow.vector.DateDayVector;

/** {@code LocalDate} as days. Owned by its writer's or reader's thread. */
final class LocalDateConverter extends FieldConverter {

    private final DateDayVector vector;

    LocalDateConverter(DateDayVector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
    }

    @Override
    void put(int index, Object value) {
        if (!(value instanceof LocalDate v)) {
            throw wrongClass(value);
        }
        vector.setSafe(index, PythonDates.toEpochDay(v, this));
    }

    @Override
    Object get(int index) {
        return LocalDate.ofEpochDay(PythonDates.checkEpochDay(vector.get(index), index, this));
    }
}
