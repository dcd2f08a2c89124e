package io.asyncbatch.flink.arrow;

import java.sql.Date;
import java.time.LocalDate;
import org.apache.arrow.vector.DateDayVector;

/**
 * {@code java.sql.Date} as days, by the local calendar fields. Owned by its writer's or reader's
 * thread.
 */
final class SqlDateConverter extends FieldConverter {

    private final DateDayVector vector;

    SqlDateConverter(DateDayVector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
    }

    @Override
    void put(int index, Object value) {
        if (!(value instanceof Date v)) {
            throw wrongClass(value);
        }
        vector.setSafe(index, PythonDates.toEpochDay(v.toLocalDate(), this));
    }

    @Override
    Object get(int index) {
        return Date.valueOf(
                LocalDate.ofEpochDay(PythonDates.checkEpochDay(vector.get(index), index, this)));
    }
}
