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
import java.util.Arrays;
import java.util.LinkedList;
import java.util.List;
import org.apache.flink.api.common.serialization.SerializerConfigImpl;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.Test;

class RowCodecTest {

    private static final TypeInformation<Row> PHOTOS =
            Types.ROW_NAMED(
                    new String[] {"id", "photo", "size"},
                    Types.LONG,
                    Types.PRIMITIVE_ARRAY(Types.BYTE),
                    Types.INT);

    private static final List<Row> TWO_PHOTOS =
            List.of(
                    Row.of(7L, new byte[] {1, 2}, 10),
                    Row.ofKind(RowKind.DELETE, 8L, new byte[] {3}, 20));

    private static <IN, OUT> TensorCodec<IN, OUT> codec(
            TypeInformation<IN> in, TypeInformation<OUT> out, TensorCodecOptions options)
            throws Exception {
        return InstantiationUtil.clone(TensorCodecs.forTypes(in, out, options));
    }

    @Test
    void everyTypeGoesThereAndBackAndThroughItsSerializer() throws Exception {
        TypeInformation<Row> type =
                Types.ROW(
                        Types.BOOLEAN,
                        Types.BYTE,
                        Types.SHORT,
                        Types.INT,
                        Types.LONG,
                        Types.FLOAT,
                        Types.DOUBLE,
                        Types.STRING,
                        Types.PRIMITIVE_ARRAY(Types.BYTE),
                        Types.PRIMITIVE_ARRAY(Types.BOOLEAN),
                        Types.PRIMITIVE_ARRAY(Types.SHORT),
                        Types.PRIMITIVE_ARRAY(Types.INT),
                        Types.PRIMITIVE_ARRAY(Types.LONG),
                        Types.PRIMITIVE_ARRAY(Types.FLOAT),
                        Types.PRIMITIVE_ARRAY(Types.DOUBLE),
                        Types.OBJECT_ARRAY(Types.DOUBLE),
                        Types.OBJECT_ARRAY(Types.STRING),
                        Types.OBJECT_ARRAY(Types.PRIMITIVE_ARRAY(Types.FLOAT)),
                        Types.LIST(Types.FLOAT),
                        Types.LIST(Types.LIST(Types.LONG)));
        Row row =
                Row.of(
                        true,
                        (byte) 1,
                        (short) 2,
                        3,
                        4L,
                        5f,
                        6d,
                        "seven",
                        new byte[] {8},
                        new boolean[] {true, false},
                        new short[] {9},
                        new int[] {10},
                        new long[] {11},
                        new float[] {12, 13},
                        new double[] {14},
                        new Double[] {15d, 16d},
                        new String[] {"17"},
                        new float[][] {{18, 19}, {20, 21}},
                        List.of(22f),
                        List.of(List.of(23L), List.of(24L)));
        TensorCodec<Row, Row> codec = codec(type, type, TensorCodecOptions.defaults());
        List<Row> records = List.of(row, Row.copy(row));
        List<Tensor> tensors = codec.encode(records);
        assertThat(tensors).hasSize(type.getArity());
        assertThat(tensors.get(0)).hasToString("f0: BOOL [2]");
        assertThat(tensors.get(17)).hasToString("f17: FP32 [2, 2, 2]");
        List<Row> results = codec.decode(tensors, 2);
        assertThat(results).containsExactlyElementsOf(records);
        assertThat(serialized(type, results.get(0))).isEqualTo(row);
        assertThat(results.get(0).getField("f4")).isEqualTo(4L);
    }

    private static <T> T serialized(TypeInformation<T> type, T value) throws Exception {
        TypeSerializer<T> serializer = type.createSerializer(new SerializerConfigImpl());
        DataOutputSerializer target = new DataOutputSerializer(64);
        serializer.serialize(value, target);
        return serializer.deserialize(new DataInputDeserializer(target.getCopyOfBuffer()));
    }

    @Test
    void fieldsAreChosenRenamedAndShaped() throws Exception {
        TensorCodec<Row, Row> codec =
                codec(
                        PHOTOS,
                        Types.ROW_NAMED(
                                new String[] {"scores", "label"},
                                Types.PRIMITIVE_ARRAY(Types.FLOAT),
                                Types.STRING),
                        TensorCodecOptions.builder()
                                .input(TensorField.of("size").tensor("SIZE").shape(1))
                                .input(TensorField.of("photo").tensor("PHOTO"))
                                .output(TensorField.of("label").tensor("LABEL"))
                                .output(
                                        TensorField.of("scores")
                                                .dataType(TensorDataType.FP64)
                                                .shape(2))
                                .build());
        List<Tensor> tensors = codec.encode(TWO_PHOTOS);
        assertThat(tensors)
                .extracting(Tensor::toString)
                .containsExactly("SIZE: INT32 [2, 1]", "PHOTO: BYTES [2]");
        assertThat(Bytes.hex(tensors.get(1).contents())).isEqualTo("02000000010201000000" + "03");
        assertThat(codec.outputs()).containsExactly("LABEL", "scores");
        List<Tensor> answers =
                List.of(
                        TensorColumn.ofDoubleArray("scores")
                                .encode(List.of(new double[] {.5, 1}, new double[] {0, 2})),
                        TensorColumn.ofString("LABEL").encode(List.of("cat", "dog")));
        assertThat(codec.decode(answers, 2))
                .containsExactly(
                        Row.of(new float[] {.5f, 1}, "cat"), Row.of(new float[] {0, 2}, "dog"));
        assertThat(codec.decode(answers, TWO_PHOTOS))
                .extracting(Row::getKind)
                .containsExactly(RowKind.INSERT, RowKind.DELETE);
    }

    @Test
    void resultsKeepFieldsOfTheirRecords() throws Exception {
        TensorCodec<Row, Row> codec =
                codec(
                        PHOTOS,
                        Types.ROW_NAMED(
                                new String[] {"label", "id", "size"},
                                Types.STRING,
                                Types.LONG,
                                Types.INT),
                        TensorCodecOptions.builder().input("photo").copyRecordFields().build());
        assertThat(codec.outputs()).containsExactly("label");
        List<Tensor> answers =
                List.of(TensorColumn.ofString("label").encode(List.of("cat", "dog")));
        assertThat(codec.decode(answers, TWO_PHOTOS))
                .containsExactly(Row.of("cat", 7L, 10), Row.ofKind(RowKind.DELETE, "dog", 8L, 20));
        assertThatThrownBy(() -> codec.decode(answers, 2))
                .isInstanceOf(UnsupportedOperationException.class)
                .hasMessage(
                        "results that hold fields of their records are decoded with the records");
        assertThatThrownBy(() -> codec.decode(answers, List.of(Row.of(1L), Row.of(2L))))
                .isExactlyInstanceOf(IllegalArgumentException.class)
                .hasMessage("record 0: field 'size' is missing, the row has 1 fields");
    }

    @Test
    void anOutputMayTakeThePlaceOfAFieldOfTheRecord() throws Exception {
        TensorCodec<Row, Row> codec =
                codec(
                        PHOTOS,
                        PHOTOS,
                        TensorCodecOptions.builder()
                                .input("photo")
                                .output("size")
                                .copyRecordFields()
                                .build());
        List<Tensor> answers = List.of(TensorColumn.ofInt("size").encode(List.of(1, 2)));
        assertThat(codec.decode(answers, TWO_PHOTOS))
                .extracting(row -> row.getField(2))
                .containsExactly(1, 2);
    }

    @Test
    void rowsWithNamesAloneAreReadByName() throws Exception {
        TensorCodec<Row, Row> codec = codec(PHOTOS, PHOTOS, TensorCodecOptions.defaults());
        Row row = Row.withNames();
        row.setField("size", 10);
        row.setField("photo", new byte[] {1, 2});
        row.setField("id", 7L);
        List<Row> results = codec.decode(codec.encode(new LinkedList<>(List.of(row))), 1);
        assertThat(results).containsExactly(TWO_PHOTOS.get(0));
    }

    @Test
    void singleValuesAndRowsMayMeet() throws Exception {
        TensorCodec<Row, Float> toValues =
                codec(
                        PHOTOS,
                        Types.FLOAT,
                        TensorCodecOptions.builder().input("size").output("score").build());
        assertThat(toValues.encode(TWO_PHOTOS)).hasSize(1);
        assertThat(
                        toValues.decode(
                                List.of(TensorColumn.ofFloat("score").encode(List.of(1f, 2f))), 2))
                .containsExactly(1f, 2f);

        TensorCodec<String, List<Float>> values =
                codec(
                        Types.STRING,
                        Types.LIST(Types.FLOAT),
                        TensorCodecOptions.builder()
                                .input("text")
                                .output(TensorField.of("embedding").shape(2))
                                .build());
        assertThat(values.encode(List.of("a")).get(0)).hasToString("text: BYTES [1]");
        Tensor embedding =
                TensorColumn.ofFloatArray("embedding").encode(List.of(new float[] {1, 2}));
        assertThat(values.decode(List.of(embedding), 1)).containsExactly(List.of(1f, 2f));
        assertThatThrownBy(() -> values.encode(Arrays.asList("a", null)))
                .hasMessage("record 1 (input 'text') is null, which a tensor cannot hold");
    }

    @Test
    void columnsAloneMakeACodec() throws Exception {
        TensorCodec<byte[], Long> codec =
                InstantiationUtil.clone(
                        TensorCodecs.of(
                                TensorColumn.ofBytes("image"), TensorColumn.ofLong("class")));
        assertThat(codec.encode(List.of(new byte[3])).get(0)).hasToString("image: BYTES [1]");
        assertThat(codec.outputs()).containsExactly("class");
        List<Tensor> answers =
                List.of(
                        TensorColumn.ofInt("other").encode(List.of(1)),
                        TensorColumn.ofInt("class").encode(List.of(2)));
        assertThat(codec.decode(answers, 1)).containsExactly(2L);
        assertThatThrownBy(() -> codec.decode(answers.subList(0, 1), 1))
                .isExactlyInstanceOf(IllegalArgumentException.class)
                .hasMessage("output 'class' is missing, the model returned [other]");
    }

    @Test
    void recordsThatDoNotFitAreRefusedByFieldAndIndex() throws Exception {
        TensorCodec<Row, Row> codec =
                codec(
                        PHOTOS,
                        PHOTOS,
                        TensorCodecOptions.builder()
                                .input(TensorField.of("size").tensor("SIZE"))
                                .build());
        Row good = TWO_PHOTOS.get(0);
        assertThatThrownBy(() -> codec.encode(List.of(good, Row.of(1L, new byte[0], null))))
                .isExactlyInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "field 'size' of record 1 (input 'SIZE') is null, which a tensor cannot hold");
        assertThatThrownBy(() -> codec.encode(List.of(good, Row.of(1L, new byte[0]))))
                .isExactlyInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "field 'size' of record 1 (input 'SIZE') is missing, the row has 2 fields");
        assertThatThrownBy(() -> codec.encode(Arrays.asList(good, null)))
                .isExactlyInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("field 'size' of record 1 (input 'SIZE') is null");
    }

    @Test
    void optionsThatDoNotFitTheTypesAreRefused() {
        TensorCodecOptions.Builder options = TensorCodecOptions.builder();
        refuse(
                TensorCodecOptions.builder().input("foto"),
                PHOTOS,
                "input field 'foto' as tensor 'foto': there is no such field, accepted: [id, photo,"
                        + " size]");
        refuse(
                TensorCodecOptions.builder().input("id").input("id"),
                PHOTOS,
                "input field 'id' as tensor 'id' repeats a field or a tensor");
        refuse(
                TensorCodecOptions.builder().input("id").input(TensorField.of("size").tensor("id")),
                PHOTOS,
                "input field 'size' as tensor 'id' repeats a field or a tensor");
        refuse(
                TensorCodecOptions.builder().output("id"),
                PHOTOS,
                "field 'photo' of the results is no output, and copyRecordFields is not set");
        refuse(
                TensorCodecOptions.builder()
                        .input(TensorField.of("size").dataType(TensorDataType.BOOL).shape(1)),
                PHOTOS,
                "input field 'size' as tensor 'size' of BOOL [1]: elements of int[] cannot be BOOL,"
                        + " accepted: [INT32, UINT8, UINT16, UINT32, UINT64, INT8, INT16, INT64,"
                        + " FP16, BF16, FP32, FP64]");
        refuse(
                options,
                Types.LONG,
                "Long has no fields and needs exactly one output that names a tensor, got 0");
        refuse(
                TensorCodecOptions.builder().copyRecordFields().output("x"),
                Types.LONG,
                "copyRecordFields needs records and results with fields, they are Row(id: Long,"
                        + " photo: byte[], size: Integer) and Long");
        refuse(
                TensorCodecOptions.builder().copyRecordFields(),
                PHOTOS,
                "Row(id: Long, photo: byte[], size: Integer) leaves no field to be an output");
        refuse(
                TensorCodecOptions.builder().copyRecordFields().output("label"),
                Types.ROW_NAMED(new String[] {"label", "id"}, Types.STRING, Types.INT),
                "field 'id' cannot be copied: it has another type in the results (Row(label: String,"
                        + " id: Integer)) than in the records (Row(id: Long, photo: byte[], size:"
                        + " Integer))");
        refuse(
                TensorCodecOptions.builder().copyRecordFields().output("label"),
                Types.ROW_NAMED(new String[] {"label", "key"}, Types.STRING, Types.INT),
                "field 'key' of the results is no output and no field of the records");
        refuse(
                options,
                Types.ROW_NAMED(new String[] {"at"}, Types.INSTANT),
                "output field 'at' as tensor 'at': values of Instant have no tensor, supported types: "
                        + TypeColumns.SUPPORTED);
    }

    private static void refuse(
            TensorCodecOptions.Builder options, TypeInformation<?> results, String message) {
        assertThatThrownBy(() -> TensorCodecs.forTypes(PHOTOS, results, options.build()))
                .isExactlyInstanceOf(IllegalArgumentException.class)
                .hasMessage(message);
    }
}
