package io.asyncbatch.flink.arrow;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.sql.Date;
import java.sql.Time;
import java.sql.Timestamp;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.typeinfo.BasicArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.LocalTimeTypeInfo;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.streaming.api.typeinfo.python.PickledByteArrayTypeInfo;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;

/** Elements of every supported type, which also the golden files hold; immutable. */
final class ElementSamples {

    /**
     * One type with elements of it.
     *
     * @param name of the golden file
     */
    record Sample<T>(String name, TypeInformation<T> type, List<T> rows) {
        @Override
        public String toString() {
            return name;
        }
    }

    private ElementSamples() {}

    static List<Sample<?>> all() {
        return List.of(
                of("boolean", Types.BOOLEAN, true, false, true),
                of("byte", Types.BYTE, (byte) -128, (byte) 0, (byte) 127),
                of("short", Types.SHORT, Short.MIN_VALUE, (short) 7, Short.MAX_VALUE),
                of("int", Types.INT, Integer.MIN_VALUE, 0, Integer.MAX_VALUE),
                of("long", Types.LONG, Long.MIN_VALUE, 0L, Long.MAX_VALUE),
                of("float", Types.FLOAT, 1.5f, -0.0f, Float.MIN_VALUE, Float.POSITIVE_INFINITY),
                of("double", Types.DOUBLE, 0.1, -0.0, Double.MAX_VALUE, Double.NEGATIVE_INFINITY),
                of("char", Types.CHAR, 'a', '\0', '\u20ac'),
                of("string", Types.STRING, "", "abc", "\u00e4\u20ac\ud83d\ude00", "nul\0in"),
                of(
                        "big_int",
                        Types.BIG_INT,
                        BigInteger.ZERO,
                        BigInteger.ONE.negate(),
                        BigInteger.valueOf(128),
                        BigInteger.TEN.pow(40).negate()),
                of(
                        "big_dec",
                        Types.BIG_DEC,
                        new BigDecimal("1.10"),
                        new BigDecimal("1.1"),
                        new BigDecimal("-1E+30"),
                        new BigDecimal("12345678901234567890.123456789012345678901234567890")),
                of(
                        "sql_date",
                        Types.SQL_DATE,
                        Date.valueOf(LocalDate.of(1970, 1, 1)),
                        Date.valueOf(LocalDate.of(1899, 12, 31)),
                        Date.valueOf(LocalDate.of(9999, 12, 31)),
                        Date.valueOf(LocalDate.of(1, 1, 1))),
                of(
                        "sql_time",
                        Types.SQL_TIME,
                        time("00:00:00", 0),
                        time("23:59:59", 999),
                        time("12:34:56", 7)),
                of(
                        "sql_timestamp",
                        Types.SQL_TIMESTAMP,
                        Timestamp.valueOf("1970-01-01 00:00:00"),
                        Timestamp.valueOf("1969-12-31 23:59:59.999999"),
                        Timestamp.valueOf("0001-01-01 00:00:00"),
                        Timestamp.valueOf("9999-12-31 23:59:59.999999")),
                of(
                        "local_date",
                        LocalTimeTypeInfo.LOCAL_DATE,
                        LocalDate.of(1, 1, 1),
                        LocalDate.of(1582, 10, 10),
                        null,
                        LocalDate.of(9999, 12, 31)),
                of(
                        "local_time",
                        LocalTimeTypeInfo.LOCAL_TIME,
                        LocalTime.MIDNIGHT,
                        null,
                        LocalTime.of(23, 59, 59, 999_999_000)),
                of(
                        "local_datetime",
                        LocalTimeTypeInfo.LOCAL_DATE_TIME,
                        LocalDateTime.of(1, 1, 1, 0, 0),
                        LocalDateTime.of(1969, 12, 31, 23, 59, 59, 999_999_000),
                        null,
                        LocalDateTime.of(9999, 12, 31, 23, 59, 59, 999_999_000)),
                of(
                        "instant",
                        Types.INSTANT,
                        Instant.EPOCH,
                        Instant.ofEpochSecond(-1, 999_999_999),
                        null,
                        Instant.MIN,
                        Instant.MAX),
                of(
                        "bytes",
                        PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO,
                        new byte[0],
                        new byte[] {0, -1, 127}),
                // What pickle.dumps makes of {'a': [1, None]} and of None.
                of(
                        "pickled",
                        PickledByteArrayTypeInfo.PICKLED_BYTE_ARRAY_TYPE_INFO,
                        hex("8005950f000000000000007d948c0161945d94284b014e65732e"),
                        hex("80054e2e")),
                of(
                        "boolean_array",
                        PrimitiveArrayTypeInfo.BOOLEAN_PRIMITIVE_ARRAY_TYPE_INFO,
                        new boolean[] {true, false, true},
                        new boolean[0]),
                of(
                        "short_array",
                        PrimitiveArrayTypeInfo.SHORT_PRIMITIVE_ARRAY_TYPE_INFO,
                        new short[] {Short.MIN_VALUE, Short.MAX_VALUE},
                        new short[0]),
                of(
                        "int_array",
                        PrimitiveArrayTypeInfo.INT_PRIMITIVE_ARRAY_TYPE_INFO,
                        new int[0],
                        new int[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17},
                        new int[] {Integer.MIN_VALUE}),
                of(
                        "long_array",
                        PrimitiveArrayTypeInfo.LONG_PRIMITIVE_ARRAY_TYPE_INFO,
                        new long[] {Long.MIN_VALUE, Long.MAX_VALUE},
                        new long[] {0}),
                of(
                        "float_array",
                        PrimitiveArrayTypeInfo.FLOAT_PRIMITIVE_ARRAY_TYPE_INFO,
                        new float[] {0.5f, -1.25f},
                        new float[0]),
                of(
                        "double_array",
                        PrimitiveArrayTypeInfo.DOUBLE_PRIMITIVE_ARRAY_TYPE_INFO,
                        new double[] {0.1, Double.MIN_VALUE}),
                of(
                        "char_array",
                        PrimitiveArrayTypeInfo.CHAR_PRIMITIVE_ARRAY_TYPE_INFO,
                        new char[] {'x', '\u20ac'},
                        new char[0]),
                of(
                        "basic_array_long",
                        BasicArrayTypeInfo.LONG_ARRAY_TYPE_INFO,
                        new Long[] {1L, null, -1L},
                        new Long[0]),
                of(
                        "basic_array_byte",
                        BasicArrayTypeInfo.BYTE_ARRAY_TYPE_INFO,
                        new Byte[] {1, null, -1}),
                of(
                        "basic_array_string",
                        BasicArrayTypeInfo.STRING_ARRAY_TYPE_INFO,
                        new String[] {"a", null, ""},
                        new String[0]),
                of(
                        "object_array",
                        Types.OBJECT_ARRAY(Types.BIG_DEC),
                        new BigDecimal[] {new BigDecimal("0.00"), null},
                        new BigDecimal[0]),
                of("list", Types.LIST(Types.STRING), List.of("a", "b"), List.of(), List.of("c")),
                of("list_byte", Types.LIST(Types.BYTE), List.of((byte) -1, (byte) 1), List.of()),
                of(
                        "list_list",
                        Types.LIST(Types.LIST(Types.INT)),
                        List.of(List.of(1, 2), List.of()),
                        List.of(),
                        List.of(List.of(3))),
                of(
                        "map",
                        Types.MAP(Types.STRING, Types.LONG),
                        nullValued("a", 1L, "b", null),
                        Map.of()),
                of(
                        "tuple",
                        Types.TUPLE(Types.INT, Types.STRING),
                        Tuple2.of(1, "one"),
                        Tuple2.of(2, "two")),
                of(
                        "row",
                        Types.ROW(Types.LONG, Types.STRING),
                        Row.of(1L, "one"),
                        Row.ofKind(RowKind.DELETE, null, null),
                        Row.ofKind(RowKind.UPDATE_AFTER, 3L, ""),
                        Row.ofKind(RowKind.UPDATE_BEFORE, 4L, null)),
                of("row_empty", Types.ROW(), Row.of(), Row.ofKind(RowKind.DELETE)),
                of(
                        "row_names",
                        Types.ROW_NAMED(
                                new String[] {"row_kind", "$row_kind", "value"},
                                Types.INT,
                                Types.INT,
                                Types.BOOLEAN),
                        Row.of(1, 2, true),
                        Row.of(3, null, null)),
                of(
                        "row_nested",
                        Types.ROW_NAMED(
                                new String[] {"id", "inner", "tags", "attributes", "pair"},
                                Types.LONG,
                                Types.ROW_NAMED(
                                        new String[] {"at", "score"}, Types.INSTANT, Types.FLOAT),
                                Types.LIST(Types.STRING),
                                Types.MAP(
                                        Types.STRING,
                                        Types.OBJECT_ARRAY(Types.TUPLE(Types.INT, Types.STRING))),
                                Types.TUPLE(
                                        Types.INT,
                                        Types.PRIMITIVE_ARRAY(Types.BYTE),
                                        Types.SQL_DATE)),
                        Row.of(
                                1L,
                                Row.ofKind(RowKind.DELETE, Instant.ofEpochSecond(5, 7), 0.5f),
                                List.of("x", "y"),
                                Map.of("k", new Tuple2<?, ?>[] {Tuple2.of(1, "a"), null}),
                                Tuple3.of(
                                        9,
                                        new byte[] {1, 2},
                                        Date.valueOf(LocalDate.of(2020, 2, 29)))),
                        Row.of(null, null, null, null, null),
                        Row.of(2L, Row.of(null, null), List.of(), Map.of(), null)));
    }

    @SafeVarargs
    @SuppressWarnings("varargs") // Only read.
    private static <T> Sample<T> of(String name, TypeInformation<T> type, T... rows) {
        return new Sample<>(name, type, Arrays.asList(rows));
    }

    private static Map<String, Long> nullValued(String k1, Long v1, String k2, Long v2) {
        // Iterates in the order of insertion, so that golden bytes stay the same.
        Map<String, Long> map = new LinkedHashMap<>();
        map.put(k1, v1);
        map.put(k2, v2);
        return map;
    }

    private static Time time(String wholeSeconds, int millis) {
        return new Time(Time.valueOf(wholeSeconds).getTime() + millis);
    }

    private static byte[] hex(String digits) {
        return HexFormat.of().parseHex(digits);
    }
}
