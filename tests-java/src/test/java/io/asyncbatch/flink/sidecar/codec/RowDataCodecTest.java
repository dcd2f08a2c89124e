package io.asyncbatch.flink.sidecar.codec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.sidecar.Tensor;
import io.asyncbatch.flink.sidecar.TensorCodec;
import io.asyncbatch.flink.sidecar.TensorCodecOptions;
import io.asyncbatch.flink.sidecar.TensorCodecs;
import io.asyncbatch.flink.sidecar.TensorColumn;
import io.asyncbatch.flink.sidecar.TensorDataType;
import io.asyncbatch.flink.sidecar.TensorField;
import java.util.List;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.binary.BinaryArrayData;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.BooleanType;
import org.apache.flink.table.types.logical.DateType;
import org.apache.flink.table.types.logical.DoubleType;
import org.apache.flink.table.types.logical.FloatType;
import org.apache.flink.table.types.logical.IntType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.SmallIntType;
import org.apache.flink.table.types.logical.TinyIntType;
import org.apache.flink.table.types.logical.VarBinaryType;
import org.apache.flink.table.types.logical.VarCharType;
import org.apache.flink.types.RowKind;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.Test;

class RowDataCodecTest {

    private static final RowType DOCUMENTS =
            RowType.of(
                    new LogicalType[] {
                        new BigIntType(false),
                        VarCharType.STRING_TYPE,
                        new ArrayType(new FloatType())
                    },
                    new String[] {"id", "text", "features"});

    private static TensorCodec<RowData, RowData> codec(
            RowType in, RowType out, TensorCodecOptions options) throws Exception {
        return InstantiationUtil.clone(TensorCodecs.forRowData(in, out, options));
    }

    private static RowData document(long id, String text, float... features) {
        return GenericRowData.of(id, StringData.fromString(text), new GenericArrayData(features));
    }

    @Test
    void everyTypeGoesThereAndBack() throws Exception {
        RowType type =
                RowType.of(
                        new BooleanType(),
                        new TinyIntType(),
                        new SmallIntType(),
                        new IntType(),
                        new BigIntType(),
                        new FloatType(),
                        new DoubleType(),
                        VarCharType.STRING_TYPE,
                        new VarBinaryType(10),
                        new ArrayType(new BooleanType()),
                        new ArrayType(new TinyIntType()),
                        new ArrayType(new SmallIntType()),
                        new ArrayType(new IntType()),
                        new ArrayType(new BigIntType()),
                        new ArrayType(new FloatType()),
                        new ArrayType(new DoubleType()),
                        new ArrayType(VarCharType.STRING_TYPE),
                        new ArrayType(new VarBinaryType(10)),
                        new ArrayType(new ArrayType(new FloatType())));
        RowData row =
                GenericRowData.of(
                        true,
                        (byte) 1,
                        (short) 2,
                        3,
                        4L,
                        5f,
                        6d,
                        StringData.fromString("seven"),
                        new byte[] {8},
                        new GenericArrayData(new boolean[] {true}),
                        new GenericArrayData(new byte[] {9}),
                        new GenericArrayData(new short[] {10}),
                        new GenericArrayData(new int[] {11}),
                        new GenericArrayData(new long[] {12}),
                        new GenericArrayData(new float[] {13}),
                        new GenericArrayData(new double[] {14}),
                        strings("15", "16"),
                        new GenericArrayData(new Object[] {new byte[] {17}}),
                        new GenericArrayData(
                                new Object[] {
                                    new GenericArrayData(new float[] {18, 19}),
                                    new GenericArrayData(new float[] {20, 21})
                                }));
        TensorCodec<RowData, RowData> codec = codec(type, type, TensorCodecOptions.defaults());
        List<Tensor> tensors = codec.encode(List.of(row, row));
        assertThat(tensors.get(10)).hasToString("f10: INT8 [2, 1]");
        assertThat(tensors.get(16)).hasToString("f16: BYTES [2, 2]");
        assertThat(tensors.get(18)).hasToString("f18: FP32 [2, 2, 2]");
        assertThat(codec.decode(tensors, 2)).containsExactly(row, row);
    }

    private static ArrayData strings(String... texts) {
        Object[] items = new Object[texts.length];
        for (int i = 0; i < texts.length; i++) {
            items[i] = StringData.fromString(texts[i]);
        }
        return new GenericArrayData(items);
    }

    @Test
    void arraysAreReadInEveryFormAndWithoutNulls() throws Exception {
        TensorCodec<RowData, RowData> codec =
                codec(
                        DOCUMENTS,
                        DOCUMENTS,
                        TensorCodecOptions.builder()
                                .input(TensorField.of("features").tensor("X").shape(2))
                                .build());
        RowData boxed = GenericRowData.of(1L, null, new GenericArrayData(new Float[] {1f, 2f}));
        RowData withNull =
                GenericRowData.of(1L, null, new GenericArrayData(new Float[] {1f, null}));
        RowData binary =
                GenericRowData.of(1L, null, BinaryArrayData.fromPrimitiveArray(new float[] {3, 4}));
        Tensor tensor = codec.encode(List.of(boxed, binary)).get(0);
        assertThat(tensor).hasToString("X: FP32 [2, 2]");
        assertThat(Bytes.hex(tensor.contents())).isEqualTo("0000803f000000400000404000008040");
        assertThatThrownBy(() -> codec.encode(List.of(boxed, withNull)))
                .isExactlyInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "field 'features' of record 1 (input 'X') has element 1 that is null, which a"
                                + " tensor cannot hold");
        assertThatThrownBy(() -> codec.encode(List.of(document(1, "a", 1, 2), document(2, "b", 1))))
                .hasMessage(
                        "field 'features' of record 1 (input 'X') has 1 elements, shape [2] takes 2");
    }

    @Test
    void nullsAreRefusedByFieldAndIndex() throws Exception {
        TensorCodec<RowData, RowData> codec =
                codec(DOCUMENTS, DOCUMENTS, TensorCodecOptions.builder().input("text").build());
        assertThatThrownBy(
                        () ->
                                codec.encode(
                                        List.of(
                                                document(1, "a"),
                                                GenericRowData.of(2L, null, null))))
                .isExactlyInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "field 'text' of record 1 (input 'text') is null, which a tensor cannot hold");
        assertThatThrownBy(() -> codec.encode(List.of(GenericRowData.of(2L))))
                .hasMessage(
                        "field 'text' of record 0 (input 'text') is missing, the row has 1 fields");
    }

    @Test
    void resultsKeepFieldsOfTheirRecords() throws Exception {
        RowType results =
                RowType.of(
                        new LogicalType[] {
                            new BigIntType(), new DoubleType(), VarCharType.STRING_TYPE
                        },
                        new String[] {"id", "score", "text"});
        TensorCodec<RowData, RowData> codec =
                codec(
                        DOCUMENTS,
                        results,
                        TensorCodecOptions.builder()
                                .input("features")
                                .output(TensorField.of("score").dataType(TensorDataType.FP32))
                                .copyRecordFields()
                                .build());
        RowData second = document(2, "b", 3);
        second.setRowKind(RowKind.UPDATE_AFTER);
        List<RowData> records = List.of(document(1, "a", 1), second);
        List<Tensor> answers = List.of(TensorColumn.ofFloat("score").encode(List.of(.5f, .25f)));
        RowData expected = GenericRowData.of(2L, .25, StringData.fromString("b"));
        expected.setRowKind(RowKind.UPDATE_AFTER);
        assertThat(codec.decode(answers, records))
                .containsExactly(GenericRowData.of(1L, .5, StringData.fromString("a")), expected);
    }

    @Test
    void aFieldThatMayBeNullIsNotCopiedWhereItMayNot() {
        RowType results =
                RowType.of(
                        new LogicalType[] {new DoubleType(), VarCharType.STRING_TYPE.copy(false)},
                        new String[] {"score", "text"});
        assertThatThrownBy(
                        () ->
                                TensorCodecs.forRowData(
                                        DOCUMENTS,
                                        results,
                                        TensorCodecOptions.builder()
                                                .copyRecordFields()
                                                .output("score")
                                                .build()))
                .isExactlyInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("field 'text' cannot be copied");
    }

    @Test
    void bytesBecomePixelsIfAskedFor() throws Exception {
        RowType images =
                RowType.of(new LogicalType[] {new VarBinaryType(4)}, new String[] {"pixels"});
        TensorCodec<RowData, RowData> codec =
                codec(
                        images,
                        images,
                        TensorCodecOptions.builder()
                                .input(
                                        TensorField.of("pixels")
                                                .dataType(TensorDataType.UINT8)
                                                .shape(2, 2))
                                .build());
        assertThat(codec.encode(List.of(GenericRowData.of((Object) new byte[4]))).get(0))
                .hasToString("pixels: UINT8 [1, 2, 2]");
    }

    @Test
    void otherTypesAreRefusedByName() {
        RowType dates = RowType.of(new LogicalType[] {new DateType()}, new String[] {"day"});
        assertThatThrownBy(
                        () ->
                                TensorCodecs.forRowData(
                                        dates, DOCUMENTS, TensorCodecOptions.defaults()))
                .isExactlyInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "input field 'day' as tensor 'day': values of DATE have no tensor, supported"
                                + " types: "
                                + LogicalTypeColumns.SUPPORTED);
    }
}
