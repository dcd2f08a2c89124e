package io.asyncbatch.flink.arrow;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.arrow.ElementSamples.Sample;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.LongStream;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class RoundTripTest {

    static List<Sample<?>> samples() {
        return ElementSamples.all();
    }

    @ParameterizedTest
    @MethodSource("samples")
    <T> void returnsWhatWasWritten(Sample<T> sample) {
        try (Codec<T> codec = new Codec<>(sample.type())) {
            byte[] bytes = codec.encode(sample.rows());
            Elements.assertEqual(codec.decode(bytes, sample.rows().size()), sample.rows());
        }
    }

    @ParameterizedTest
    @MethodSource("samples")
    <T> void returnsWhatWasLent(Sample<T> sample) {
        try (Codec<T> codec = new Codec<>(sample.type())) {
            Elements.assertEqual(codec.lend(sample.rows()), sample.rows());
            List<T> fewer = sample.rows().subList(0, 1);
            Elements.assertEqual(codec.lend(fewer), fewer);
            assertThat(codec.heldBytes()).isZero();
        }
    }

    @ParameterizedTest
    @MethodSource("samples")
    <T> void isReusableForBatchesOfOtherSizes(Sample<T> sample) {
        List<T> many = new ArrayList<>();
        for (int i = 0; i < 700; i++) {
            many.addAll(sample.rows());
        }
        try (Codec<T> codec = new Codec<>(sample.type())) {
            for (List<T> rows :
                    List.of(
                            many,
                            Collections.singletonList(sample.rows().get(0)),
                            sample.rows(),
                            Collections.<T>emptyList(),
                            many)) {
                Elements.assertEqual(codec.decode(codec.encode(rows), rows.size()), rows);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("samples")
    <T> void batchOutlivesTheNextOnes(Sample<T> sample) {
        try (Codec<T> codec = new Codec<>(sample.type())) {
            try (EncodedBatch first = codec.writer.encode(sample.rows())) {
                byte[] before = Codec.bytes(first);
                List<T> reversed = new ArrayList<>(sample.rows());
                Collections.reverse(reversed);
                try (EncodedBatch second = codec.writer.encode(reversed)) {
                    assertThat(second.byteCount()).isPositive();
                    assertThat(Codec.bytes(first)).isEqualTo(before);
                }
                codec.encode(sample.rows());
                assertThat(Codec.bytes(first)).isEqualTo(before);
            }
        }
    }

    @Test
    void largeColumnsAreNotCopied() {
        List<Long> rows = LongStream.range(0, 100_000).boxed().toList();
        try (Codec<Long> codec = new Codec<>(Types.LONG);
                EncodedBatch batch = codec.writer.encode(rows)) {
            assertThat(batch.buffers()).anyMatch(buffer -> buffer.isDirect());
            assertThat(batch.byteCount()).isBetween(800_000L, 820_000L);
            assertThat(codec.decode(Codec.bytes(batch), rows.size())).isEqualTo(rows);
        }
    }

    @Test
    void rowsAreReadableByNameAsFlinksSerializerMakesThem() {
        try (Codec<Row> codec =
                new Codec<>(Types.ROW_NAMED(new String[] {"a", "b"}, Types.INT, Types.STRING))) {
            Row byName = Row.withNames();
            byName.setField("b", "x");
            byName.setField("a", 1);
            Row row = codec.decode(codec.encode(List.of(byName)), 1).get(0);
            assertThat(row.getField("b")).isEqualTo("x");
            assertThat(row.getField(0)).isEqualTo(1);
        }
    }

    @Test
    void elementsAreCopiedAtOnce() {
        try (Codec<Row> codec = new Codec<>(Types.ROW(Types.INT))) {
            Row reused = Row.of(1);
            try (EncodedBatch batch = codec.writer.encode(List.of(reused, reused))) {
                reused.setField(0, 2);
                List<Row> decoded = codec.decode(Codec.bytes(batch), 2);
                assertThat(decoded).extracting(row -> row.getField(0)).containsExactly(1, 1);
                assertThat(decoded.get(0)).isNotSameAs(decoded.get(1));
            }
        }
    }
}
