package io.asyncbatch.flink.arrow;

import java.sql.Time;
import java.time.LocalTime;
import java.util.TimeZone;
import org.apache.arrow.vector.TimeMilliVector;

/**
 * {@code java.sql.Time} as milliseconds of the local day, as PyFlink's own serializer counts them.
 * Owned by its writer's or reader's thread.
 */
final class SqlTimeConverter extends FieldConverter {

    private static final long MILLIS_PER_DAY = 86_400_000L;

    private final TimeZone zone = TimeZone.getDefault();
    private final TimeMilliVector vector;

    SqlTimeConverter(TimeMilliVector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
    }

    @Override
    void put(int index, Object value) {
        if (!(value instanceof Time time)) {
            throw wrongClass(value);
        }
        long millis = time.getTime();
        vector.setSafe(index, (int) Math.floorMod(millis + zone.getOffset(millis), MILLIS_PER_DAY));
    }

    @Override
    Object get(int index) {
        int millisOfDay = vector.get(index);
        if (millisOfDay < 0 || millisOfDay >= MILLIS_PER_DAY) {
            throw malformed(index, "a time outside of a day");
        }
        LocalTime wholeSeconds = LocalTime.ofSecondOfDay(millisOfDay / 1_000);
        // Time.valueOf alone would drop the milliseconds.
        return new Time(Time.valueOf(wholeSeconds).getTime() + millisOfDay % 1_000);
    }
}
