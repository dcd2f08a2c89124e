package io.asyncbatch.flink.arrow;

import java.time.DateTimeException;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneOffset;

/** The range and resolution of Python's {@code datetime}, to which dates are held; stateless. */
final class PythonDates {

    private static final long MIN_EPOCH_DAY = LocalDate.of(1, 1, 1).toEpochDay();
    private static final long MAX_EPOCH_DAY = LocalDate.of(9999, 12, 31).toEpochDay();
    private static final long MICROS_PER_SECOND = 1_000_000L;
    private static final long MICROS_PER_DAY = 86_400L * MICROS_PER_SECOND;

    private PythonDates() {}

    static int toEpochDay(LocalDate date, FieldConverter field) {
        if (date.getYear() < 1 || date.getYear() > 9999) {
            throw outOfRange(date.getYear(), field);
        }
        return (int) date.toEpochDay();
    }

    static long checkEpochDay(int epochDay, int index, FieldConverter field) {
        if (epochDay < MIN_EPOCH_DAY || epochDay > MAX_EPOCH_DAY) {
            throw field.malformed(index, "a date outside of the years 1 to 9999");
        }
        return epochDay;
    }

    static long checkMicroOfDay(long microOfDay, int index, FieldConverter field) {
        if (microOfDay < 0 || microOfDay >= MICROS_PER_DAY) {
            throw field.malformed(index, "a time outside of a day");
        }
        return microOfDay;
    }

    static long toEpochMicro(LocalDateTime time, FieldConverter field) {
        if (time.getYear() < 1 || time.getYear() > 9999) {
            throw outOfRange(time.getYear(), field);
        }
        return time.toEpochSecond(ZoneOffset.UTC) * MICROS_PER_SECOND + time.getNano() / 1_000;
    }

    static LocalDateTime fromEpochMicro(long epochMicro, int index, FieldConverter field) {
        try {
            LocalDateTime time =
                    LocalDateTime.ofEpochSecond(
                            Math.floorDiv(epochMicro, MICROS_PER_SECOND),
                            (int) Math.floorMod(epochMicro, MICROS_PER_SECOND) * 1_000,
                            ZoneOffset.UTC);
            checkEpochDay((int) time.toLocalDate().toEpochDay(), index, field);
            return time;
        } catch (DateTimeException e) {
            throw field.malformed(index, "a date outside of the years 1 to 9999");
        }
    }

    private static FieldMisfitException outOfRange(int year, FieldConverter field) {
        return field.misfit("the year " + year + ", Python's dates have the years 1 to 9999");
    }
}
