package io.asyncbatch.flink.arrow;

import static org.assertj.core.api.Assertions.assertThat;

import java.sql.Date;
import java.sql.Time;
import java.sql.Timestamp;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.util.List;
import java.util.TimeZone;
import org.apache.flink.api.common.typeinfo.LocalTimeTypeInfo;
import org.apache.flink.api.common.typeinfo.Types;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The java.sql types travel as the calendar fields that they show, whatever the zone of the JVM.
 */
class SqlTimeZoneTest {

    private static final List<LocalDate> DATES =
            List.of(
                    LocalDate.of(1, 1, 1),
                    LocalDate.of(1582, 10, 4),
                    LocalDate.of(1883, 11, 18),
                    LocalDate.of(1969, 12, 31),
                    LocalDate.of(1970, 1, 1),
                    LocalDate.of(2024, 2, 29),
                    LocalDate.of(9999, 12, 31));

    private final TimeZone before = TimeZone.getDefault();

    @AfterEach
    void restoreZone() {
        TimeZone.setDefault(before);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"UTC", "America/New_York", "Asia/Kolkata", "Europe/London", "Pacific/Apia"})
    void datesTravelAsTheyShow(String zone) {
        TimeZone.setDefault(TimeZone.getTimeZone(zone));
        List<Date> dates = DATES.stream().map(Date::valueOf).toList();
        try (Codec<Date> sql = new Codec<>(Types.SQL_DATE);
                Codec<LocalDate> local = new Codec<>(LocalTimeTypeInfo.LOCAL_DATE)) {
            byte[] bytes = sql.encode(dates);
            assertThat(sql.decode(bytes, DATES.size())).isEqualTo(dates);
            assertThat(local.decode(bytes, DATES.size())).isEqualTo(DATES);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"UTC", "America/New_York", "Asia/Kolkata", "Europe/London", "Pacific/Apia"})
    void timestampsTravelAsTheyShow(String zone) {
        TimeZone.setDefault(TimeZone.getTimeZone(zone));
        List<LocalDateTime> fields =
                DATES.stream().map(date -> date.atTime(13, 14, 15, 999_999_000)).toList();
        List<Timestamp> timestamps = fields.stream().map(Timestamp::valueOf).toList();
        try (Codec<Timestamp> sql = new Codec<>(Types.SQL_TIMESTAMP);
                Codec<LocalDateTime> local = new Codec<>(LocalTimeTypeInfo.LOCAL_DATE_TIME)) {
            byte[] bytes = sql.encode(timestamps);
            assertThat(sql.decode(bytes, fields.size())).isEqualTo(timestamps);
            assertThat(local.decode(bytes, fields.size())).isEqualTo(fields);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"UTC", "America/New_York", "Asia/Kolkata", "Europe/London", "Pacific/Apia"})
    void timesTravelAsTheyShow(String zone) {
        byte[] inUtc = timesOf("UTC");
        assertThat(timesOf(zone)).isEqualTo(inUtc);
    }

    private static byte[] timesOf(String zone) {
        TimeZone.setDefault(TimeZone.getTimeZone(zone));
        List<Time> times =
                List.of(
                        Time.valueOf("00:00:00"),
                        new Time(Time.valueOf("23:59:59").getTime() + 999),
                        Time.valueOf("12:00:00"));
        try (Codec<Time> codec = new Codec<>(Types.SQL_TIME)) {
            byte[] bytes = codec.encode(times);
            assertThat(codec.decode(bytes, times.size())).isEqualTo(times);
            return bytes;
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"UTC", "Asia/Kolkata"})
    void partsOfAMicrosecondAreDropped(String zone) {
        TimeZone.setDefault(TimeZone.getTimeZone(zone));
        try (Codec<Timestamp> codec = new Codec<>(Types.SQL_TIMESTAMP)) {
            byte[] bytes =
                    codec.encode(List.of(Timestamp.valueOf("1969-12-31 23:59:59.999999999")));
            assertThat(codec.decode(bytes, 1))
                    .containsExactly(Timestamp.valueOf("1969-12-31 23:59:59.999999"));
        }
    }
}
