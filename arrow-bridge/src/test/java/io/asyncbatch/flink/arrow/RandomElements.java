package io.asyncbatch.flink.arrow;

import java.lang.reflect.Array;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.sql.Date;
import java.sql.Time;
import java.sql.Timestamp;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import org.apache.flink.api.common.typeinfo.BasicArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.LocalTimeTypeInfo;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.api.java.typeutils.TupleTypeInfo;
import org.apache.flink.streaming.api.typeinfo.python.PickledByteArrayTypeInfo;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;

/** Random type trees, and random elements of them; stateless. */
final class RandomElements {

    private static final LocalDate FIRST_DAY = LocalDate.of(1, 1, 1);
    private static final LocalDate LAST_DAY = LocalDate.of(9999, 12, 31);

    /** A type with an arbitrary of its values. */
    record Typed(TypeInformation<?> type, Arbitrary<?> values, boolean hashable) {

        Typed(TypeInformation<?> type, Arbitrary<?> values) {
            this(type, values, true);
        }

        /** Values or now and then null. */
        Arbitrary<Object> nullable() {
            return values.map(v -> (Object) v).injectNull(0.2);
        }
    }

    /** A type with a batch of its elements. */
    record Batch(TypeInformation<?> type, List<?> rows) {
        @Override
        public String toString() {
            return rows.size() + " elements of " + type;
        }
    }

    private RandomElements() {}

    static Arbitrary<Batch> batches() {
        return types(3).flatMap(
                        t ->
                                t.values()
                                        .list()
                                        .ofMaxSize(20)
                                        .map(rows -> new Batch(t.type(), rows)));
    }

    static Arbitrary<Typed> types(int depth) {
        Arbitrary<Typed> scalar = Arbitraries.of(scalars());
        if (depth == 0) {
            return scalar;
        }
        Arbitrary<Typed> inner = Arbitraries.lazy(() -> types(depth - 1));
        return Arbitraries.oneOf(
                scalar,
                inner.map(RandomElements::list),
                inner.map(RandomElements::objectArray),
                Combinators.combine(inner.filter(Typed::hashable), inner).as(RandomElements::map),
                inner.list().ofMinSize(1).ofMaxSize(4).map(RandomElements::tuple),
                inner.list().ofMaxSize(4).map(RandomElements::row));
    }

    private static List<Typed> scalars() {
        Arbitrary<LocalDate> dates =
                Arbitraries.longs()
                        .between(FIRST_DAY.toEpochDay(), LAST_DAY.toEpochDay())
                        .map(LocalDate::ofEpochDay);
        Arbitrary<LocalDateTime> times =
                Arbitraries.longs()
                        .between(
                                FIRST_DAY.atStartOfDay().toEpochSecond(ZoneOffset.UTC),
                                LAST_DAY.atTime(23, 59, 59).toEpochSecond(ZoneOffset.UTC))
                        .flatMap(
                                s ->
                                        Arbitraries.integers()
                                                .between(0, 999_999)
                                                .map(
                                                        us ->
                                                                LocalDateTime.ofEpochSecond(
                                                                        s,
                                                                        us * 1000,
                                                                        ZoneOffset.UTC)));
        // Dates that the switch to the Gregorian calendar skipped have no java.sql form.
        Arbitrary<LocalDate> sqlDates = dates.filter(d -> Date.valueOf(d).toLocalDate().equals(d));
        Arbitrary<Timestamp> sqlTimes =
                times.filter(t -> Timestamp.valueOf(t).toLocalDateTime().equals(t))
                        .map(Timestamp::valueOf);
        return List.of(
                new Typed(Types.BOOLEAN, Arbitraries.of(true, false)),
                new Typed(Types.BYTE, Arbitraries.bytes()),
                new Typed(Types.SHORT, Arbitraries.shorts()),
                new Typed(Types.INT, Arbitraries.integers()),
                new Typed(Types.LONG, Arbitraries.longs()),
                new Typed(Types.FLOAT, Arbitraries.floats()),
                new Typed(Types.DOUBLE, Arbitraries.doubles()),
                new Typed(Types.CHAR, Arbitraries.chars().filter(c -> !Character.isSurrogate(c))),
                new Typed(Types.STRING, text()),
                new Typed(
                        Types.BIG_INT,
                        Arbitraries.bigIntegers()
                                .between(BigInteger.TEN.pow(50).negate(), BigInteger.TEN.pow(50))),
                new Typed(
                        Types.BIG_DEC,
                        Arbitraries.bigDecimals()
                                .ofScale(7)
                                .between(new BigDecimal("-1e20"), new BigDecimal("1e20"))),
                new Typed(Types.SQL_DATE, sqlDates.map(Date::valueOf)),
                new Typed(
                        Types.SQL_TIME,
                        Arbitraries.integers().between(0, 86_399_999).map(RandomElements::time)),
                new Typed(Types.SQL_TIMESTAMP, sqlTimes),
                new Typed(LocalTimeTypeInfo.LOCAL_DATE, dates.injectNull(0.1), false),
                new Typed(
                        LocalTimeTypeInfo.LOCAL_TIME,
                        Arbitraries.longs()
                                .between(0, 86_399_999_999L)
                                .map(us -> LocalTime.ofNanoOfDay(us * 1000))
                                .injectNull(0.1),
                        false),
                new Typed(LocalTimeTypeInfo.LOCAL_DATE_TIME, times.injectNull(0.1), false),
                new Typed(
                        Types.INSTANT,
                        Combinators.combine(
                                        Arbitraries.longs()
                                                .between(
                                                        Instant.MIN.getEpochSecond(),
                                                        Instant.MAX.getEpochSecond()),
                                        Arbitraries.integers().between(0, 999_999_999))
                                .as(Instant::ofEpochSecond)
                                .injectNull(0.1),
                        false),
                new Typed(
                        PickledByteArrayTypeInfo.PICKLED_BYTE_ARRAY_TYPE_INFO,
                        Arbitraries.bytes().array(byte[].class).ofMaxSize(40),
                        false),
                new Typed(Types.LIST(Types.BYTE), Arbitraries.bytes().list().ofMaxSize(10), false),
                new Typed(
                        PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO,
                        Arbitraries.bytes().array(byte[].class).ofMaxSize(40),
                        false),
                new Typed(
                        PrimitiveArrayTypeInfo.BOOLEAN_PRIMITIVE_ARRAY_TYPE_INFO,
                        Arbitraries.of(true, false).array(boolean[].class).ofMaxSize(20),
                        false),
                new Typed(
                        PrimitiveArrayTypeInfo.SHORT_PRIMITIVE_ARRAY_TYPE_INFO,
                        Arbitraries.shorts().array(short[].class).ofMaxSize(20),
                        false),
                new Typed(
                        PrimitiveArrayTypeInfo.INT_PRIMITIVE_ARRAY_TYPE_INFO,
                        Arbitraries.integers().array(int[].class).ofMaxSize(20),
                        false),
                new Typed(
                        PrimitiveArrayTypeInfo.LONG_PRIMITIVE_ARRAY_TYPE_INFO,
                        Arbitraries.longs().array(long[].class).ofMaxSize(20),
                        false),
                new Typed(
                        PrimitiveArrayTypeInfo.FLOAT_PRIMITIVE_ARRAY_TYPE_INFO,
                        Arbitraries.floats().array(float[].class).ofMaxSize(20),
                        false),
                new Typed(
                        PrimitiveArrayTypeInfo.DOUBLE_PRIMITIVE_ARRAY_TYPE_INFO,
                        Arbitraries.doubles().array(double[].class).ofMaxSize(20),
                        false),
                new Typed(
                        BasicArrayTypeInfo.STRING_ARRAY_TYPE_INFO,
                        text().injectNull(0.2).array(String[].class).ofMaxSize(5),
                        false),
                new Typed(
                        BasicArrayTypeInfo.INT_ARRAY_TYPE_INFO,
                        Arbitraries.integers().injectNull(0.2).array(Integer[].class).ofMaxSize(5),
                        false));
    }

    private static Arbitrary<String> text() {
        return Arbitraries.strings()
                .all()
                .ofMaxLength(12)
                .filter(
                        s ->
                                s.equals(
                                        new String(
                                                s.getBytes(java.nio.charset.StandardCharsets.UTF_8),
                                                java.nio.charset.StandardCharsets.UTF_8)));
    }

    private static Time time(int millisOfDay) {
        return new Time(
                Time.valueOf(LocalTime.ofSecondOfDay(millisOfDay / 1000)).getTime()
                        + millisOfDay % 1000);
    }

    private static Typed list(Typed element) {
        return new Typed(Types.LIST(element.type()), element.values().list().ofMaxSize(4), false);
    }

    private static Typed objectArray(Typed element) {
        Arbitrary<?> arrays =
                element.nullable()
                        .list()
                        .ofMaxSize(4)
                        .map(
                                items -> {
                                    Object array =
                                            Array.newInstance(
                                                    element.type().getTypeClass(), items.size());
                                    IntStream.range(0, items.size())
                                            .forEach(i -> Array.set(array, i, items.get(i)));
                                    return array;
                                });
        return new Typed(Types.OBJECT_ARRAY(element.type()), arrays, false);
    }

    private static Typed map(Typed key, Typed value) {
        return new Typed(
                Types.MAP(key.type(), value.type()),
                Arbitraries.maps(key.values(), value.nullable()).ofMaxSize(4),
                false);
    }

    private static Typed tuple(List<Typed> fields) {
        Arbitrary<Tuple> tuples =
                Combinators.combine(
                                fields.stream()
                                        .<Arbitrary<Object>>map(
                                                f -> f.values().map(v -> (Object) v))
                                        .toList())
                        .as(
                                values -> {
                                    Tuple tuple = Tuple.newInstance(values.size());
                                    for (int i = 0; i < values.size(); i++) {
                                        tuple.setField(values.get(i), i);
                                    }
                                    return tuple;
                                });
        TypeInformation<?>[] types =
                fields.stream().map(Typed::type).toArray(TypeInformation<?>[]::new);
        return new Typed(
                new TupleTypeInfo<>(types), tuples, fields.stream().allMatch(Typed::hashable));
    }

    private static Typed row(List<Typed> fields) {
        List<Arbitrary<Object>> values = new ArrayList<>();
        fields.forEach(f -> values.add(f.nullable()));
        Arbitrary<List<Object>> lists =
                values.isEmpty()
                        ? Arbitraries.just(List.of())
                        : Combinators.combine(values).as(v -> v);
        Arbitrary<Row> rows =
                Combinators.combine(Arbitraries.of(RowKind.values()), lists)
                        .as((kind, v) -> Row.ofKind(kind, v.toArray()));
        TypeInformation<?>[] types =
                fields.stream().map(Typed::type).toArray(TypeInformation<?>[]::new);
        // A map of rows would find keys of equal fields but other objects twice.
        return new Typed(new RowTypeInfo(types), rows, false);
    }
}
