package io.asyncbatch.flink.arrow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Collections;
import java.util.List;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Structs as another party finds them; the codec asserts that no byte is left. */
class LentBatchTest {

    private static final TypeInformation<Row> TYPE =
            Types.ROW(Types.LONG, Types.LIST(Types.STRING));
    private static final List<Row> ROWS =
            List.of(Row.of(1L, List.of("a", "b")), Row.of(null, List.of()));
    private static final long RELEASE = 0x1234;
    private static final long ID = 77;

    private final Codec<Row> codec = new Codec<>(TYPE);
    private ArrowBuf memory;
    private long struct;

    @BeforeEach
    void allocateStruct() {
        memory = codec.reading.buffer(CDataStruct.BYTES);
        struct = memory.memoryAddress();
    }

    @AfterEach
    void leavesNothingAllocated() {
        memory.close();
        codec.close();
    }

    @Test
    void everyArrayCanBeReleasedButOnlyTheTopSaysWhichBatch() {
        try (LentBatch batch = codec.writer.lend(ROWS)) {
            batch.lend(struct, RELEASE, ID);
            assertThat(CDataStruct.get(struct, CDataStruct.PRIVATE_DATA)).isEqualTo(ID);
            assertThat(CDataStruct.get(struct, CDataStruct.RELEASE)).isEqualTo(RELEASE);
            // The row's kind comes first.
            assertThat(CDataStruct.get(struct, CDataStruct.CHILD_COUNT)).isEqualTo(3);
            long list = CDataStruct.pointer(struct, CDataStruct.CHILDREN, 2);
            long strings = CDataStruct.pointer(list, CDataStruct.CHILDREN, 0);
            for (long array : new long[] {list, strings}) {
                assertThat(CDataStruct.get(array, CDataStruct.RELEASE)).isEqualTo(RELEASE);
                assertThat(CDataStruct.get(array, CDataStruct.PRIVATE_DATA)).isZero();
            }
            assertThat(CDataStruct.get(list, CDataStruct.LENGTH)).isEqualTo(2);
            assertThat(CDataStruct.get(strings, CDataStruct.LENGTH)).isEqualTo(2);
        }
    }

    @Test
    void holdsItsMemoryUntilItIsClosed() {
        long before = codec.heldBytes();
        LentBatch batch = codec.writer.lend(ROWS);
        batch.lend(struct, RELEASE, ID);
        codec.writer.lend(ROWS).close();
        Elements.assertEqual(codec.reader.read(struct, ROWS.size()), ROWS);
        batch.close();
        batch.close();
        assertThat(codec.heldBytes()).isEqualTo(before);
    }

    @Test
    void knowsItsSize() {
        try (Codec<Long> longs = new Codec<>(Types.LONG);
                LentBatch batch = longs.writer.lend(Collections.nCopies(1000, 1L))) {
            assertThat(batch.byteCount()).isBetween(8000L, 8200L);
        }
    }

    @Test
    void namesARowThatDoesNotFit() {
        assertThatThrownBy(() -> codec.writer.lend(Collections.singletonList(null)))
                .isInstanceOf(ElementEncodingException.class)
                .hasMessageContaining("0");
    }

    @Test
    void whatIsNotOfTheSchemaIsRefused() {
        try (LentBatch batch = codec.writer.lend(ROWS)) {
            batch.lend(struct, RELEASE, ID);
            assertRefused(3, "Expected 3 rows, the record batch has 2");
            long number = CDataStruct.pointer(struct, CDataStruct.CHILDREN, 1);
            spoil(number, CDataStruct.OFFSET, 1, "offset=1, not 0");
            spoil(number, CDataStruct.LENGTH, 1, "length=1, not 2");
            spoil(number, CDataStruct.NULL_COUNT, -1, "nullCount=-1");
            spoil(number, CDataStruct.BUFFER_COUNT, 3, "buffers=3, not 2");
            spoil(number, CDataStruct.DICTIONARY, 8, "dictionary=8, not 0");
            spoil(struct, CDataStruct.CHILD_COUNT, 1, "children=1, not 3");
            spoil(struct, CDataStruct.OFFSET, 1, "offset=1, not 0");
            spoil(struct, CDataStruct.RELEASE, 0, "no record batch");
            Elements.assertEqual(codec.reader.read(struct, ROWS.size()), ROWS);
        }
    }

    private void spoil(long array, int field, long value, String expected) {
        long before = CDataStruct.get(array, field);
        CDataStruct.put(array, field, value);
        assertRefused(ROWS.size(), expected);
        CDataStruct.put(array, field, before);
    }

    private void assertRefused(int rows, String expected) {
        assertThatThrownBy(() -> codec.reader.read(struct, rows))
                .isInstanceOf(MalformedBatchException.class)
                .hasMessageContaining(expected);
    }
}
