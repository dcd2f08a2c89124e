package io.asyncbatch.flink.sidecar.codec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.asyncbatch.flink.sidecar.Tensor;
import io.asyncbatch.flink.sidecar.TensorColumn;
import io.asyncbatch.flink.sidecar.TensorDataType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class TensorColumnTest {

    /** The bytes are what numpy's {@code tobytes} gives of little-endian arrays of that type. */
    static Stream<Arguments> values() {
        return Stream.of(
                arguments(
                        TensorColumn.ofBoolean("x"),
                        List.of(true, false, true),
                        "BOOL [3]",
                        "01 00 01"),
                arguments(
                        TensorColumn.ofByte("x"),
                        List.of((byte) 1, (byte) -2, Byte.MAX_VALUE),
                        "INT8 [3]",
                        "01 fe 7f"),
                arguments(
                        TensorColumn.ofShort("x"),
                        List.of((short) 1, (short) -2, Short.MAX_VALUE),
                        "INT16 [3]",
                        "0100 feff ff7f"),
                arguments(
                        TensorColumn.ofInt("x"),
                        List.of(1, -2, Integer.MAX_VALUE),
                        "INT32 [3]",
                        "01000000 feffffff ffffff7f"),
                arguments(
                        TensorColumn.ofLong("x"),
                        List.of(1L, -2L, Long.MAX_VALUE),
                        "INT64 [3]",
                        "0100000000000000 feffffffffffffff ffffffffffffff7f"),
                arguments(
                        TensorColumn.ofInt("x").as(TensorDataType.UINT8),
                        List.of(1, 200, 255),
                        "UINT8 [3]",
                        "01 c8 ff"),
                arguments(
                        TensorColumn.ofInt("x").as(TensorDataType.UINT16),
                        List.of(1, 40_000, 65_535),
                        "UINT16 [3]",
                        "0100 409c ffff"),
                arguments(
                        TensorColumn.ofLong("x").as(TensorDataType.UINT32),
                        List.of(1L, 3_000_000_000L, 0xFFFF_FFFFL),
                        "UINT32 [3]",
                        "01000000 005ed0b2 ffffffff"),
                arguments(
                        TensorColumn.ofLong("x").as(TensorDataType.UINT64),
                        List.of(1L, 3_000_000_000L, Long.MAX_VALUE),
                        "UINT64 [3]",
                        "0100000000000000 005ed0b200000000 ffffffffffffff7f"),
                arguments(
                        TensorColumn.ofFloat("x").as(TensorDataType.FP16),
                        List.of(1.5f, -0.25f, 65_504f),
                        "FP16 [3]",
                        "003e 00b4 ff7b"),
                arguments(
                        TensorColumn.ofFloat("x").as(TensorDataType.BF16),
                        List.of(1.5f, -0.25f, Float.NEGATIVE_INFINITY),
                        "BF16 [3]",
                        "c03f 80be 80ff"),
                arguments(
                        TensorColumn.ofFloat("x"),
                        List.of(1.5f, -0.1f, Float.MAX_VALUE),
                        "FP32 [3]",
                        "0000c03f cdccccbd ffff7f7f"),
                arguments(
                        TensorColumn.ofDouble("x"),
                        List.of(1.5, -0.1, 1e300),
                        "FP64 [3]",
                        "000000000000f83f 9a9999999999b9bf 9c7500883ce4377e"),
                arguments(
                        TensorColumn.ofDouble("x").as(TensorDataType.FP32),
                        List.of(1.5, -0.25),
                        "FP32 [2]",
                        "0000c03f 000080be"),
                arguments(
                        TensorColumn.ofLong("x").as(TensorDataType.FP64),
                        List.of(1L, 1L << 53),
                        "FP64 [2]",
                        "000000000000f03f 0000000000004043"),
                arguments(
                        TensorColumn.ofLong("x").shaped(1),
                        List.of(7L, 8L),
                        "INT64 [2, 1]",
                        "0700000000000000 0800000000000000"),
                arguments(
                        TensorColumn.ofString("x"),
                        List.of("a", "", "h\u00E9?\uFFFD"),
                        "BYTES [3]",
                        "01000000 61 00000000 07000000 68c3a93fefbfbd"),
                arguments(
                        TensorColumn.ofBytes("x"),
                        List.of(new byte[] {-1, -40}, new byte[0]),
                        "BYTES [2]",
                        "02000000 ffd8 00000000"),
                arguments(
                        TensorColumn.ofBooleanArray("x"),
                        List.of(new boolean[] {true, false}, new boolean[] {false, true}),
                        "BOOL [2, 2]",
                        "0100 0001"),
                arguments(
                        TensorColumn.ofByteArray("x"),
                        List.of(new byte[] {1, -2}),
                        "INT8 [1, 2]",
                        "01fe"),
                arguments(
                        TensorColumn.ofByteArray("x", 1, 2).as(TensorDataType.UINT8),
                        List.of(new byte[] {1, -2}),
                        "UINT8 [1, 1, 2]",
                        "01fe"),
                arguments(
                        TensorColumn.ofShortArray("x"),
                        List.of(new short[] {1, -2}),
                        "INT16 [1, 2]",
                        "0100feff"),
                arguments(
                        TensorColumn.ofIntArray("x").as(TensorDataType.UINT8),
                        List.of(new int[] {1, 200}, new int[] {3, 4}),
                        "UINT8 [2, 2]",
                        "01c8 0304"),
                arguments(
                        TensorColumn.ofIntArray("x", 2),
                        List.of(new int[] {1, -2}),
                        "INT32 [1, 2]",
                        "01000000feffffff"),
                arguments(
                        TensorColumn.ofLongArray("x"),
                        List.of(new long[] {1}, new long[] {-2}),
                        "INT64 [2, 1]",
                        "0100000000000000 feffffffffffffff"),
                arguments(
                        TensorColumn.ofFloatArray("x", 2, -1),
                        List.of(new float[] {1, 2, 3, 4, 5, 6}),
                        "FP32 [1, 2, 3]",
                        "0000803f0000004000004040000080400000a0400000c040"),
                arguments(
                        TensorColumn.ofFloatArray("x").as(TensorDataType.FP16),
                        List.of(new float[] {1, 2}, new float[] {3, 4}),
                        "FP16 [2, 2]",
                        "003c0040 00420044"),
                arguments(
                        TensorColumn.ofFloatArray("x"),
                        List.of(new float[0], new float[0]),
                        "FP32 [2, 0]",
                        ""),
                arguments(
                        TensorColumn.ofDoubleArray("x"),
                        List.of(new double[] {1.5, -0.1}),
                        "FP64 [1, 2]",
                        "000000000000f83f 9a9999999999b9bf"),
                arguments(
                        TensorColumn.of("x", Types.OBJECT_ARRAY(Types.FLOAT)),
                        Collections.singletonList(new Float[] {1f, 2f}),
                        "FP32 [1, 2]",
                        "0000803f00000040"),
                arguments(
                        TensorColumn.of("x", Types.OBJECT_ARRAY(Types.STRING)),
                        Collections.singletonList(new String[] {"a", "b"}),
                        "BYTES [1, 2]",
                        "01000000 61 01000000 62"),
                arguments(
                        TensorColumn.of(
                                "x", Types.OBJECT_ARRAY(Types.PRIMITIVE_ARRAY(Types.SHORT))),
                        List.of(new short[][] {{1, 2}, {3, 4}}, new short[][] {{5, 6}, {7, 8}}),
                        "INT16 [2, 2, 2]",
                        "0100020003000400 0500060007000800"),
                arguments(
                        TensorColumn.of("x", Types.LIST(Types.LIST(Types.LONG)))
                                .as(TensorDataType.INT8)
                                .shaped(-1, 3),
                        List.of(List.of(List.of(1L, 2L, 3L), List.of(4L, 5L, 6L))),
                        "INT8 [1, 2, 3]",
                        "010203040506"),
                arguments(
                        TensorColumn.of("x", Types.LIST(Types.LIST(Types.LONG))).shaped(-1, 3),
                        List.of(List.of()),
                        "INT64 [1, 0, 3]",
                        ""),
                arguments(
                        TensorColumn.of("x", Types.LIST(Types.PRIMITIVE_ARRAY(Types.BYTE))),
                        List.of(List.of(new byte[] {1}, new byte[] {2, 3})),
                        "BYTES [1, 2]",
                        "01000000 01 02000000 0203"));
    }

    @ParameterizedTest
    @MethodSource("values")
    void valuesGoThereAndBack(
            TensorColumn<Object> column, List<Object> values, String typeAndShape, String bytes)
            throws Exception {
        TensorColumn<Object> travelled = InstantiationUtil.clone(column);
        Tensor tensor = travelled.encode(values);
        assertThat(tensor).hasToString("x: " + typeAndShape);
        assertThat(Bytes.hex(tensor.contents())).isEqualTo(bytes.replace(" ", ""));
        List<Object> decoded = travelled.decode(tensor, values.size());
        assertThat(decoded)
                .usingRecursiveFieldByFieldElementComparator()
                .containsExactlyElementsOf(values);
        for (int i = 0; i < values.size(); i++) {
            // Records compare lists by their elements, whatever list it is.
            if (!(values.get(i) instanceof List)) {
                assertThat(decoded.get(i)).hasSameClassAs(values.get(i));
            }
        }
    }

    /** Of numpy as well: {@code astype} rounds to the nearest, ties to even, and once. */
    @Test
    void floatingPointNumbersAreRounded() {
        List<Double> values =
                List.of(1.5, 1 + 0x1p-11, 1 + 0x1p-11 + 0x1p-40, 6e-8, 0x1p-25, 0x1.0001p-25);
        assertThat(
                        Bytes.hex(
                                TensorColumn.ofDouble("x")
                                        .as(TensorDataType.FP16)
                                        .encode(values)
                                        .contents()))
                .isEqualTo("003e" + "003c" + "013c" + "0100" + "0000" + "0100");
        Tensor fp64 = TensorColumn.ofDouble("x").encode(List.of(-0.1, 1e-46));
        assertThat(TensorColumn.ofFloat("x").as(TensorDataType.FP64).decode(fp64, 2))
                .containsExactly(-0.1f, 0f);
    }

    static Stream<Arguments> widerAnswers() {
        return Stream.of(
                arguments(TensorColumn.ofShort("x"), "INT8 [1]", "fe", (short) -2),
                arguments(TensorColumn.ofShort("x"), "UINT8 [1]", "fe", (short) 254),
                arguments(TensorColumn.ofInt("x"), "UINT16 [1]", "feff", 65_534),
                arguments(TensorColumn.ofInt("x"), "INT16 [1]", "feff", -2),
                arguments(TensorColumn.ofLong("x"), "INT32 [1]", "feffffff", -2L),
                arguments(TensorColumn.ofLong("x"), "UINT32 [1]", "feffffff", 4_294_967_294L),
                arguments(
                        TensorColumn.ofLong("x"), "UINT64 [1]", "feffffff00000000", 4_294_967_294L),
                arguments(TensorColumn.ofFloat("x"), "FP16 [1]", "003e", 1.5f),
                arguments(TensorColumn.ofFloat("x"), "BF16 [1]", "c03f", 1.5f),
                arguments(TensorColumn.ofFloat("x"), "UINT16 [1]", "ffff", 65_535f),
                arguments(TensorColumn.ofDouble("x"), "FP32 [1]", "cdccccbd", (double) -0.1f),
                arguments(TensorColumn.ofDouble("x"), "UINT32 [1]", "feffffff", 4_294_967_294.0),
                // What the column was told to be counts too, as long as the values fit.
                arguments(
                        TensorColumn.ofInt("x").as(TensorDataType.INT64),
                        "INT64 [1]",
                        "feffffffffffffff",
                        -2),
                arguments(TensorColumn.ofInt("x").as(TensorDataType.FP16), "FP16 [1]", "00c0", -2),
                arguments(TensorColumn.ofInt("x"), "INT32 [1, 1]", "01000000", 1),
                arguments(TensorColumn.ofInt("x").shaped(1), "INT32 [1]", "01000000", 1));
    }

    @ParameterizedTest
    @MethodSource("widerAnswers")
    void answersOfATypeThatLosesNothingAreTaken(
            TensorColumn<Object> column, String typeAndShape, String bytes, Object expected) {
        assertThat(column.decode(Bytes.tensor("x", typeAndShape, bytes), 1))
                .containsExactly(expected);
    }

    static Stream<Arguments> badValues() {
        return Stream.of(
                arguments(
                        TensorColumn.ofInt("x"),
                        Arrays.asList(1, null),
                        "record 1 (input 'x') is null, which a tensor cannot hold"),
                arguments(
                        TensorColumn.ofInt("x"),
                        List.of(1, 2L),
                        "record 1 (input 'x') is a java.lang.Long, expected java.lang.Integer"),
                arguments(TensorColumn.ofInt("x"), List.of(), "input 'x' has no records"),
                arguments(
                        TensorColumn.ofInt("x").as(TensorDataType.UINT8),
                        List.of(255, 256),
                        "record 1 (input 'x') is 256, UINT8 takes 0 to 255"),
                arguments(
                        TensorColumn.ofLong("x").as(TensorDataType.UINT64),
                        List.of(-1L),
                        "record 0 (input 'x') is -1, UINT64 takes 0 to 9223372036854775807"),
                arguments(
                        TensorColumn.ofInt("x").as(TensorDataType.FP32),
                        List.of(1 << 24, (1 << 24) + 1),
                        "record 1 (input 'x') is 16777217, which FP32 does not hold"),
                arguments(
                        TensorColumn.ofLong("x").as(TensorDataType.FP64),
                        List.of(Long.MAX_VALUE),
                        "record 0 (input 'x') is 9223372036854775807, which FP64 does not hold"),
                arguments(
                        TensorColumn.ofInt("x").as(TensorDataType.BF16),
                        List.of(257),
                        "record 0 (input 'x') is 257, which BF16 does not hold"),
                arguments(
                        TensorColumn.ofFloat("x").as(TensorDataType.FP16),
                        List.of(65_519f, 65_520f),
                        "record 1 (input 'x') is 65520.0, beyond what FP16 holds"),
                arguments(
                        TensorColumn.ofFloat("x").as(TensorDataType.BF16),
                        List.of(Float.MAX_VALUE),
                        "record 0 (input 'x') is 3.4028234663852886E38, beyond what BF16 holds"),
                arguments(
                        TensorColumn.ofDouble("x").as(TensorDataType.FP32),
                        List.of(1e39),
                        "record 0 (input 'x') is 1.0E39, beyond what FP32 holds"),
                arguments(
                        TensorColumn.ofString("x"),
                        List.of("?", "a\uD800"),
                        "record 1 (input 'x') is text with half of a surrogate pair"),
                arguments(
                        TensorColumn.ofFloatArray("x"),
                        Arrays.asList(new float[1], null),
                        "record 1 (input 'x') is null, which a tensor cannot hold"),
                arguments(
                        TensorColumn.ofFloatArray("x"),
                        List.of(new double[1]),
                        "record 0 (input 'x') is a double[], expected float[]"),
                arguments(
                        TensorColumn.ofFloatArray("x"),
                        List.of(new float[2], new float[3]),
                        "record 1 (input 'x') has 3 elements, and record 0 has 2: a tensor takes"
                                + " values of one length"),
                arguments(
                        TensorColumn.ofFloatArray("x", 2, 3),
                        List.of(new float[6], new float[5]),
                        "record 1 (input 'x') has 5 elements, shape [2, 3] takes 6"),
                arguments(
                        TensorColumn.ofFloatArray("x", 2, 3),
                        List.of(new float[5]),
                        "record 0 (input 'x') has 5 elements, shape [2, 3] takes 6"),
                arguments(
                        TensorColumn.ofFloatArray("x", 2, -1),
                        List.of(new float[5]),
                        "record 0 (input 'x') has 5 elements, shape [2, -1] takes a multiple of 2"),
                arguments(
                        TensorColumn.ofIntArray("x").as(TensorDataType.INT8),
                        List.of(new int[2], new int[] {0, 128}),
                        "record 1 (input 'x') has element 1 that is 128, INT8 takes -128 to 127"),
                arguments(
                        TensorColumn.of("x", Types.LIST(Types.INT)),
                        List.of(List.of(1, 2), Arrays.asList(1, null)),
                        "record 1 (input 'x') has item 1 that is null, which a tensor cannot hold"),
                arguments(
                        TensorColumn.of("x", Types.LIST(Types.INT)),
                        List.of(List.of(1, 2), List.of(1)),
                        "record 1 (input 'x') has 1 items, expected 2 like the first one: a tensor"
                                + " takes values of one shape"),
                arguments(
                        TensorColumn.of("x", Types.LIST(Types.LIST(Types.INT))),
                        List.of(List.of(List.of(1), List.of(2, 3))),
                        "record 0 (input 'x') has item 1 that has 2 items, expected 1 like the first"
                                + " one: a tensor takes values of one shape"),
                arguments(
                        TensorColumn.of("x", Types.LIST(Types.LIST(Types.INT))),
                        List.of(List.of(List.of())),
                        "record 0 (input 'x') has a dimension of 0 in another one, whose size would"
                                + " be lost"),
                arguments(
                        TensorColumn.of("x", Types.LIST(Types.INT)).shaped(3),
                        List.of(List.of(1, 2)),
                        "record 0 (input 'x') has shape [2], expected [3]"),
                arguments(
                        TensorColumn.of("x", Types.LIST(Types.INT)).as(TensorDataType.UINT8),
                        List.of(List.of(1, 2), List.of(3, -4)),
                        "record 1 (input 'x') has element 1 that is -4, UINT8 takes 0 to 255"),
                arguments(
                        TensorColumn.of("x", Types.LIST(Types.INT)),
                        List.of(7),
                        "record 0 (input 'x') is a java.lang.Integer, expected java.util.List"),
                arguments(
                        TensorColumn.of("x", Types.OBJECT_ARRAY(Types.INT)),
                        List.of(new Integer[] {1}, new Long[] {1L}),
                        "record 1 (input 'x') is a java.lang.Long[], expected java.lang.Integer[]"));
    }

    @ParameterizedTest
    @MethodSource("badValues")
    void valuesThatDoNotFitAreRefusedByRecord(
            TensorColumn<Object> column, List<Object> values, String message) {
        assertThatThrownBy(() -> column.encode(values))
                .isExactlyInstanceOf(IllegalArgumentException.class)
                .hasMessage(message);
    }

    static Stream<Arguments> badAnswers() {
        return Stream.of(
                arguments(
                        TensorColumn.ofInt("x"),
                        "INT64 [1]",
                        "0100000000000000",
                        "output 'x' is INT64, accepted: [INT32, UINT8, UINT16, INT8, INT16]"),
                arguments(
                        TensorColumn.ofString("x"),
                        "INT8 [1]",
                        "01",
                        "output 'x' is INT8, accepted: [BYTES]"),
                arguments(
                        TensorColumn.ofByte("x").as(TensorDataType.UINT8),
                        "INT16 [1]",
                        "0100",
                        "output 'x' is INT16, accepted: [UINT8, INT8]"),
                arguments(
                        TensorColumn.ofInt("x"),
                        "INT32 [2]",
                        "0100000001000000",
                        "output 'x' has shape [2], expected 1 records as first dimension"),
                arguments(
                        TensorColumn.ofInt("x"),
                        "INT32 []",
                        "01000000",
                        "output 'x' has shape [], expected 1 records as first dimension"),
                arguments(
                        TensorColumn.ofInt("x"),
                        "INT32 [1, 2]",
                        "0100000001000000",
                        "output 'x' has shape [1, 2], expected [1] or [1, 1]"),
                arguments(
                        TensorColumn.ofFloatArray("x", 2, -1),
                        "FP32 [1, 1, 1]",
                        "00000000",
                        "output 'x' has shape [1, 1, 1], expected [1, 2, -1]"),
                arguments(
                        TensorColumn.ofFloatArray("x"),
                        "FP32 [1]",
                        "00000000",
                        "output 'x' has shape [1], expected [1, -1]"),
                arguments(
                        TensorColumn.of("x", Types.LIST(Types.LIST(Types.INT))),
                        "INT32 [1, 1000000000, 0]",
                        "",
                        "output 'x' has shape [1, 1000000000, 0], expected [1, -1, -1]"),
                arguments(
                        TensorColumn.ofBoolean("x"),
                        "BOOL [1]",
                        "02",
                        "output 'x' of record 0 is the byte 2, BOOL takes 0 and 1"),
                arguments(
                        TensorColumn.ofBooleanArray("x"),
                        "BOOL [1, 2]",
                        "01ff",
                        "output 'x' of record 0 has element 1 that is the byte -1, BOOL takes 0 and 1"),
                arguments(
                        TensorColumn.ofLong("x"),
                        "UINT64 [1]",
                        "ffffffffffffffff",
                        "output 'x' of record 0 is 18446744073709551615, at most 9223372036854775807"
                                + " is accepted"),
                arguments(
                        TensorColumn.ofInt("x").as(TensorDataType.INT64),
                        "INT64 [1]",
                        "0000008000000000",
                        "output 'x' of record 0 is 2147483648, int takes -2147483648 to 2147483647"),
                arguments(
                        TensorColumn.ofInt("x").as(TensorDataType.FP32),
                        "FP32 [1]",
                        "0000c03f",
                        "output 'x' of record 0 is 1.5, expected an integer"),
                arguments(
                        TensorColumn.ofLong("x").as(TensorDataType.FP32),
                        "FP32 [1]",
                        "0000005f",
                        "output 'x' of record 0 is 9.223372036854776E18, expected an integer"),
                arguments(
                        TensorColumn.ofLong("x").as(TensorDataType.FP32),
                        "FP32 [1]",
                        "0000c07f",
                        "output 'x' of record 0 is NaN, expected an integer"),
                arguments(
                        TensorColumn.ofFloatArray("x").as(TensorDataType.FP64),
                        "FP64 [1, 1]",
                        "9c7500883ce4377e",
                        "output 'x' of record 0 has element 0 that is 1.0E300, beyond what FP32 holds"),
                arguments(
                        TensorColumn.ofString("x"),
                        "BYTES [1]",
                        "01000000ff",
                        "output 'x' of record 0 is not UTF-8"),
                arguments(
                        TensorColumn.ofBytes("x"),
                        "BYTES [1]",
                        "02000000ff",
                        "output 'x' of record 0 goes past the end of the contents"),
                arguments(
                        TensorColumn.ofBytes("x"),
                        "BYTES [1]",
                        "ffffffffff",
                        "output 'x' of record 0 goes past the end of the contents"),
                arguments(
                        TensorColumn.of("x", Types.OBJECT_ARRAY(Types.STRING)),
                        "BYTES [1, 2]",
                        "0500000000000000ff",
                        "output 'x' of record 0 has element 1 that goes past the end of the contents"),
                arguments(
                        TensorColumn.ofBytes("x"),
                        "BYTES [1]",
                        "01000000ff00",
                        "output 'x' has 1 bytes after its last element"));
    }

    @ParameterizedTest
    @MethodSource("badAnswers")
    void answersThatDoNotFitAreRefusedByName(
            TensorColumn<Object> column, String typeAndShape, String bytes, String message) {
        Tensor tensor = Bytes.tensor("x", typeAndShape, bytes);
        assertThatThrownBy(() -> column.decode(tensor, 1))
                .isExactlyInstanceOf(IllegalArgumentException.class)
                .hasMessage(message);
    }

    @Test
    void contentsThatCannotHoldTheElementsMakeNoTensor() {
        assertThatThrownBy(() -> Bytes.tensor("x", "BYTES [3]", "0000000000000000"))
                .isExactlyInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "tensor 'x' of BYTES [3] needs 4 bytes for the length of each of 3 elements,"
                                + " its contents have 8 bytes");
    }

    @Test
    void typesAndShapesThatValuesCannotHaveAreRefused() {
        assertThatThrownBy(() -> TensorColumn.ofFloat("x").as(TensorDataType.INT32))
                .isExactlyInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "elements of float[] cannot be INT32, accepted: [FP32, FP16, BF16, FP64]");
        assertThatThrownBy(() -> TensorColumn.ofByteArray("x").as(TensorDataType.FP32))
                .hasMessage("elements of byte[] cannot be FP32, accepted: [INT8, UINT8]");
        assertThatThrownBy(() -> TensorColumn.ofFloatArray("x", 0))
                .hasMessage("dimensions must be positive, or -1 where they vary, got [0]");
        assertThatThrownBy(() -> TensorColumn.ofFloatArray("x", -1, -1))
                .hasMessage(
                        "the shape of a flat array must have a dimension, and -1 once at most, got"
                                + " [-1, -1]");
        assertThatThrownBy(() -> TensorColumn.ofFloatArray("x").shaped())
                .hasMessageEndingWith("got []");
        assertThatThrownBy(() -> TensorColumn.ofFloatArray("x", 65_536, 65_536))
                .hasMessage("no array has as many elements as the shape [65536, 65536]");
        assertThatThrownBy(() -> TensorColumn.ofFloatArray("x", Long.MAX_VALUE, Long.MAX_VALUE))
                .isExactlyInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> TensorColumn.ofFloat("x").shaped(2))
                .hasMessage("dimensions of a single value must be 1, got [2]");
        assertThatThrownBy(() -> TensorColumn.of("x", Types.LIST(Types.INT)).shaped(2, 2))
                .hasMessage(
                        "the shape of nested values must have 1 dimensions, one a level, got [2, 2]");
        assertThatThrownBy(() -> TensorColumn.ofFloat(""))
                .hasMessage("the name of a tensor must not be empty");
    }

    static Stream<TypeInformation<?>> typesWithoutTensor() {
        return Stream.of(
                Types.CHAR,
                Types.BIG_DEC,
                Types.SQL_DATE,
                Types.MAP(Types.STRING, Types.INT),
                Types.PRIMITIVE_ARRAY(Types.CHAR),
                Types.LIST(Types.BIG_INT),
                Types.ROW(Types.INT),
                Types.OBJECT_ARRAY(Types.TUPLE(Types.INT)));
    }

    @ParameterizedTest
    @MethodSource("typesWithoutTensor")
    void otherTypesAreRefusedByName(TypeInformation<?> type) {
        assertThatThrownBy(() -> TensorColumn.of("x", type))
                .isExactlyInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "values of %s have no tensor, supported types: %s"
                                .formatted(type, TypeColumns.SUPPORTED));
    }

    @Test
    void moreThanABufferHoldsIsRefused() {
        float[] large = new float[1 << 20];
        List<float[]> values = new ArrayList<>();
        for (int i = 0; i < 1 << 9; i++) {
            values.add(large);
        }
        assertThatThrownBy(() -> TensorColumn.ofFloatArray("x").encode(values))
                .isExactlyInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "input 'x' is too large: 2147483648 bytes, at most 2147483639 are possible");
        List<Integer> many = Collections.nCopies(1 << 16, 0);
        List<List<Integer>> nested = Collections.nCopies(1 << 16, many);
        assertThatThrownBy(() -> TensorColumn.of("x", Types.LIST(Types.INT)).encode(nested))
                .isExactlyInstanceOf(IllegalArgumentException.class)
                .hasMessage("input 'x' is too large: 65536 records of 65536 elements");
    }

    @Test
    void whatIsDecodedIsItsOwn() {
        float[] value = {1, 2};
        Tensor tensor = TensorColumn.ofFloatArray("x").encode(List.of(value));
        value[0] = 7;
        assertThat(TensorColumn.ofFloatArray("x").decode(tensor, 1).get(0)).containsExactly(1, 2);
    }
}
