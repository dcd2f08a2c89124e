package io.asyncbatch.flink.table.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.arrow.ArrowSchemas;
import io.asyncbatch.flink.table.backend.PythonTypes.PythonType;
import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.Map;
import org.apache.flink.api.common.serialization.SerializerConfigImpl;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.Test;

class PythonTypesTest {

    private static final DataType EVERYTHING =
            DataTypes.ROW(
                            DataTypes.FIELD("boolean", DataTypes.BOOLEAN()),
                            DataTypes.FIELD("tinyint", DataTypes.TINYINT()),
                            DataTypes.FIELD("smallint", DataTypes.SMALLINT()),
                            DataTypes.FIELD("int", DataTypes.INT().notNull()),
                            DataTypes.FIELD("bigint", DataTypes.BIGINT()),
                            DataTypes.FIELD("float", DataTypes.FLOAT()),
                            DataTypes.FIELD("double", DataTypes.DOUBLE()),
                            DataTypes.FIELD("decimal", DataTypes.DECIMAL(6, 2)),
                            DataTypes.FIELD("string", DataTypes.STRING()),
                            DataTypes.FIELD("bytes", DataTypes.BYTES()),
                            DataTypes.FIELD("date", DataTypes.DATE()),
                            DataTypes.FIELD("time", DataTypes.TIME(0)),
                            DataTypes.FIELD("timestamp", DataTypes.TIMESTAMP(6)),
                            DataTypes.FIELD("ltz", DataTypes.TIMESTAMP_LTZ(6)),
                            DataTypes.FIELD(
                                    "embedding", DataTypes.ARRAY(DataTypes.FLOAT().notNull())),
                            DataTypes.FIELD("gaps", DataTypes.ARRAY(DataTypes.FLOAT())),
                            DataTypes.FIELD("images", DataTypes.ARRAY(DataTypes.BYTES())),
                            DataTypes.FIELD(
                                    "matrix",
                                    DataTypes.ARRAY(DataTypes.ARRAY(DataTypes.INT().notNull()))),
                            DataTypes.FIELD(
                                    "counts",
                                    DataTypes.MAP(
                                            DataTypes.STRING().notNull(), DataTypes.BIGINT())),
                            DataTypes.FIELD(
                                    "nested",
                                    DataTypes.ROW(
                                            DataTypes.FIELD("s", DataTypes.STRING()),
                                            DataTypes.FIELD(
                                                    "a", DataTypes.ARRAY(DataTypes.STRING())))))
                    .notNull();

    private static Row everything() {
        return Row.of(
                true,
                (byte) 1,
                (short) 2,
                3,
                4L,
                0.5f,
                0.25,
                new BigDecimal("1234.50"),
                "text",
                new byte[] {1, 2},
                LocalDate.of(2026, 2, 28),
                LocalTime.of(1, 2, 3),
                LocalDateTime.of(2026, 1, 2, 3, 4, 5, 6_000),
                Instant.ofEpochSecond(1_700_000_000L, 7_000),
                new float[] {1, 2},
                new Float[] {1f, null},
                new byte[][] {{1}, {}},
                new int[][] {{1, 2}, {}},
                Map.of("a", 1L),
                Row.of("s", new String[] {"x", null}));
    }

    /** The classes that Flink converts to are those that the bridge's serializers take. */
    @Test
    @SuppressWarnings("unchecked")
    void everyTypeTravelsThereAndBack() throws Exception {
        PythonType type = PythonTypes.of((RowType) EVERYTHING.getLogicalType());
        ArrowSchemas.forType(type.typeInformation());
        TypeSerializer<Row> serializer =
                ((TypeInformation<Row>) type.typeInformation())
                        .createSerializer(new SerializerConfigImpl());
        ExternalRows rows = new ExternalRows(type.dataType());
        rows.open(getClass().getClassLoader());

        for (Row row : new Row[] {everything(), nulls()}) {
            Row copied = serializer.copy(rows.toExternal(rows.toInternal(row)));
            assertThat(Row.of(copied.getField(0)).toString())
                    .isEqualTo(Row.of(row.getField(0)).toString());
            for (int i = 0; i < row.getArity(); i++) {
                assertThat(Row.of(copied.getField(i))).isEqualTo(Row.of(row.getField(i)));
            }
        }
    }

    private static Row nulls() {
        Row row = new Row(everything().getArity());
        row.setField(3, 3);
        return row;
    }

    @Test
    void numbersThatCannotBeNullHaveNoBoxes() {
        PythonType type =
                PythonTypes.of(
                        RowType.of(
                                DataTypes.ARRAY(DataTypes.FLOAT().notNull()).getLogicalType(),
                                DataTypes.ARRAY(DataTypes.FLOAT()).getLogicalType()));
        assertThat(type.dataType().getChildren().get(0).getConversionClass())
                .isEqualTo(float[].class);
        assertThat(type.dataType().getChildren().get(1).getConversionClass())
                .isEqualTo(Float[].class);
    }

    @Test
    void refusesWhatDoesNotTravelByItsColumn() {
        assertThatThrownBy(
                        () ->
                                PythonTypes.of(
                                        (RowType)
                                                DataTypes.ROW(
                                                                DataTypes.FIELD(
                                                                        "a",
                                                                        DataTypes.ARRAY(
                                                                                DataTypes.MULTISET(
                                                                                        DataTypes
                                                                                                .INT()))))
                                                        .getLogicalType()))
                .isInstanceOf(ValidationException.class)
                .hasMessageContaining("Column 'a[]' is of type MULTISET<INT>");
    }

    @Test
    void refusesNullsWhereNoneMayBe() {
        assertMisfit(
                DataTypes.FIELD("a", DataTypes.INT().notNull()),
                null,
                "column 'a' is INT NOT NULL, got none");
        assertMisfit(
                DataTypes.FIELD("a", DataTypes.ARRAY(DataTypes.STRING().notNull())),
                new String[] {"x", null},
                "column 'a[]' is STRING NOT NULL, got none");
        assertMisfit(
                DataTypes.FIELD(
                        "a", DataTypes.ROW(DataTypes.FIELD("b", DataTypes.BIGINT().notNull()))),
                Row.of((Object) null),
                "column 'a.b' is BIGINT NOT NULL, got none");
    }

    /** Flink's own conversion would make a null of it. */
    @Test
    void refusesNumbersThatAreTooLargeForTheirType() {
        assertMisfit(
                DataTypes.FIELD("a", DataTypes.DECIMAL(4, 2)),
                new BigDecimal("123.45"),
                "column 'a' is DECIMAL(4, 2), got a number with more digits");
    }

    private static void assertMisfit(DataTypes.Field field, Object value, String message) {
        ExternalRows rows =
                new ExternalRows(
                        PythonTypes.of((RowType) DataTypes.ROW(field).getLogicalType())
                                .dataType()
                                .notNull());
        rows.open(PythonTypesTest.class.getClassLoader());
        assertThatThrownBy(() -> rows.toInternal(Row.of(value)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(message);
    }
}
