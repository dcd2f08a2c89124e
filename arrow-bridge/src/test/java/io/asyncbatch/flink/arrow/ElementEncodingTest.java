package io.asyncbatch.flink.arrow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.LocalDate;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.apache.arrow.memory.OutOfMemoryException;
import org.apache.flink.api.common.typeinfo.LocalTimeTypeInfo;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.Test;

@SuppressWarnings({"unchecked", "rawtypes"})
class ElementEncodingTest {

    @Test
    void nullElement() {
        assertRefused(Types.LONG, Arrays.asList(1L, null), 1, "'value'", "LONG", "null");
        assertRefused(Types.STRING, Arrays.asList("secret", null), 1, "'value'", "STRING", "null");
        assertRefused(Types.ROW(Types.INT), Arrays.asList(Row.of(1), null), 1, "ROW", "null");
        assertRefused(Types.TUPLE(Types.INT), Collections.singletonList(null), 0, "TUPLE", "null");
    }

    @Test
    void elementOfAnotherClass() {
        assertRefused(Types.LONG, List.of(1L, 2L, 3), 2, "'value'", "LONG", "java.lang.Integer");
        assertRefused(Types.INT, List.of("secret"), 0, "INT", "java.lang.String");
        assertRefused(Types.BIG_DEC, List.of(1.5), 0, "BIG_DEC", "java.lang.Double");
        assertRefused(
                PrimitiveArrayTypeInfo.INT_PRIMITIVE_ARRAY_TYPE_INFO,
                List.of(new int[1], new long[1]),
                1,
                "[J");
        assertRefused(Types.ROW(Types.INT), List.of(Tuple2.of(1, 2)), 0, "Tuple2");
    }

    @Test
    void nestedFieldIsNamed() {
        TypeInformation<Row> type =
                Types.ROW_NAMED(
                        new String[] {"id", "pairs"},
                        Types.LONG,
                        Types.LIST(Types.TUPLE(Types.STRING, Types.MAP(Types.STRING, Types.INT))));
        Tuple2<String, Object> good = Tuple2.of("secret", Collections.singletonMap("k", null));
        assertRefused(
                type,
                List.of(
                        Row.of(1L, List.of(good)),
                        Row.of(
                                2L,
                                List.of(
                                        good,
                                        Tuple2.of(
                                                "secret",
                                                Collections.singletonMap("k", "secret"))))),
                1,
                "'pairs[].f1{value}'",
                "INT",
                "java.lang.String");
        assertRefused(
                type,
                List.of(Row.of(1L, List.of(Tuple2.of(null, Collections.emptyMap())))),
                0,
                "'pairs[].f0'",
                "STRING",
                "null");
        assertRefused(
                type,
                List.of(Row.of(1L, List.of(Tuple2.of("", Collections.singletonMap(null, 1))))),
                0,
                "'pairs[].f1{key}'",
                "null");
    }

    @Test
    void listElementsAreNotNull() {
        assertRefused(
                Types.LIST(Types.LONG), List.of(Arrays.asList(1L, null)), 0, "value[]", "null");
        assertRefused(
                Types.LIST(Types.BYTE), List.of(Arrays.asList((byte) 1, null)), 0, "null element");
    }

    @Test
    void rowOfAnotherArityOrOtherNames() {
        TypeInformation<Row> type = Types.ROW_NAMED(new String[] {"a", "b"}, Types.INT, Types.INT);
        assertRefused(type, List.of(Row.of(1, 2), Row.of(1, 2, 3)), 1, "ROW of 2", "3 fields");
        Row other = Row.withNames();
        other.setField("a", 1);
        other.setField("c", 1);
        assertRefused(type, List.of(other), 0, "other field names");
    }

    @Test
    void dateThatPythonDoesNotHave() {
        assertRefused(
                LocalTimeTypeInfo.LOCAL_DATE,
                List.of(LocalDate.of(10_000, 1, 1)),
                0,
                "10000",
                "1 to 9999");
        assertRefused(LocalTimeTypeInfo.LOCAL_DATE, List.of(LocalDate.of(0, 1, 1)), 0, "year 0");
    }

    @Test
    void loneSurrogatesBecomeQuestionMarks() {
        try (Codec<String> codec = new Codec<>(Types.STRING);
                Codec<Character> chars = new Codec<>(Types.CHAR)) {
            assertThat(codec.decode(codec.encode(List.of("a\ud83d")), 1)).containsExactly("a?");
            assertThat(chars.decode(chars.encode(List.of('\udc00')), 1)).containsExactly('?');
        }
    }

    @Test
    void writerGoesOnAfterARefusal() {
        try (Codec<Row> codec = new Codec<>(Types.ROW(Types.STRING, Types.LIST(Types.INT)))) {
            List<Row> bad = List.of(Row.of("a", List.of(1)), Row.of("b", List.of("c")));
            assertThatThrownBy(() -> codec.writer.encode(bad))
                    .isInstanceOf(ElementEncodingException.class);
            List<Row> good = List.of(Row.of("a", List.of(1)));
            Elements.assertEqual(codec.decode(codec.encode(good), 1), good);
        }
    }

    @Test
    void allocatorLimitReleasesEverything() {
        try (BridgeAllocator allocator = new BridgeAllocator("small", 64 << 10);
                RecordBatchWriter<String> writer =
                        RecordBatchWriter.create(
                                Types.STRING, allocator.child("write", 64 << 10))) {
            assertThatThrownBy(() -> writer.encode(Collections.nCopies(100, "x".repeat(1000))))
                    .isInstanceOf(OutOfMemoryException.class);
            assertThat(allocator.allocatedBytes()).isZero();
            try (EncodedBatch batch = writer.encode(List.of("fits"))) {
                assertThat(batch.byteCount()).isPositive();
            }
        }
    }

    @Test
    void closedBatchGivesNoBuffers() {
        try (Codec<Long> codec = new Codec<>(Types.LONG)) {
            EncodedBatch batch = codec.writer.encode(List.of(1L));
            batch.close();
            batch.close();
            assertThatThrownBy(batch::buffers).isInstanceOf(IllegalStateException.class);
        }
    }

    private static void assertRefused(
            TypeInformation<?> type, List<?> rows, int row, String... message) {
        try (Codec codec = new Codec<>(type)) {
            assertThatThrownBy(() -> codec.writer.encode(rows))
                    .isInstanceOfSatisfying(
                            ElementEncodingException.class,
                            e -> assertThat(e.getRowIndex()).isEqualTo(row))
                    .hasMessageContaining("Row " + row)
                    .hasMessageContainingAll(message)
                    .hasMessageNotContaining("secret");
            assertThat(codec.heldBytes()).isZero();
        }
    }
}
