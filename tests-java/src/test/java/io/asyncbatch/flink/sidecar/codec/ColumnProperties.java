package io.asyncbatch.flink.sidecar.codec;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.sidecar.Tensor;
import io.asyncbatch.flink.sidecar.TensorColumn;
import io.asyncbatch.flink.sidecar.TensorDataType;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.statistics.Statistics;
import org.apache.flink.api.common.typeinfo.Types;

class ColumnProperties {

    private static final List<TensorColumn<?>> COLUMNS =
            List.of(
                    TensorColumn.ofBoolean("x"),
                    TensorColumn.ofByte("x"),
                    TensorColumn.ofShort("x"),
                    TensorColumn.ofInt("x"),
                    TensorColumn.ofInt("x").as(TensorDataType.INT64),
                    TensorColumn.ofLong("x"),
                    TensorColumn.ofLong("x").as(TensorDataType.FP32),
                    TensorColumn.ofFloat("x"),
                    TensorColumn.ofFloat("x").as(TensorDataType.FP64),
                    TensorColumn.ofDouble("x"),
                    TensorColumn.ofString("x"),
                    TensorColumn.ofBytes("x"),
                    TensorColumn.ofBooleanArray("x"),
                    TensorColumn.ofByteArray("x", -1, 2),
                    TensorColumn.ofIntArray("x"),
                    TensorColumn.ofFloatArray("x", 2),
                    TensorColumn.ofDoubleArray("x", -1, 1, 1),
                    TensorColumn.of("x", Types.LIST(Types.FLOAT)),
                    TensorColumn.of("x", Types.OBJECT_ARRAY(Types.STRING)),
                    TensorColumn.of("x", Types.LIST(Types.LIST(Types.STRING))),
                    TensorColumn.of("x", Types.OBJECT_ARRAY(Types.PRIMITIVE_ARRAY(Types.INT))));

    @Provide
    Arbitrary<TensorColumn<?>> columns() {
        return Arbitraries.of(COLUMNS);
    }

    /** Small and absurd ones: a dimension is what a server claims. */
    @Provide
    Arbitrary<long[]> shapes() {
        return Arbitraries.oneOf(
                        Arbitraries.longs().between(0, 4),
                        Arbitraries.longs().between(0, 4),
                        Arbitraries.of(
                                -1L,
                                Long.MIN_VALUE,
                                Long.MAX_VALUE,
                                1L << 32,
                                1L << 31,
                                (1L << 31) - 1,
                                1L << 62))
                .array(long[].class)
                .ofMaxSize(4);
    }

    /** Whatever a server says, there are as many values as records, or there is an error. */
    @Property(tries = 20_000)
    void hostileTensorsAreRefusedOrDecoded(
            @ForAll("columns") TensorColumn<?> column,
            @ForAll TensorDataType type,
            @ForAll("shapes") long[] shape,
            @ForAll @IntRange(min = 1, max = 4) int records,
            @ForAll Honesty honesty,
            @ForAll long seed) {
        Random random = new Random(seed);
        TensorDataType claimed = honesty.type ? column.dataType() : type;
        long[] claimedShape = honesty.shape ? fitting(column, records, random) : shape;
        List<?> values = null;
        try {
            values = column.decode(tensor(claimed, claimedShape, honesty.size, random), records);
        } catch (IllegalArgumentException e) {
            assertThat(e).isExactlyInstanceOf(IllegalArgumentException.class);
            assertThat(e.getMessage()).contains("'x'");
        }
        if (values != null) {
            assertThat(values).hasSize(records).doesNotContainNull();
        }
        // Or else what is generated does not get past the first checks.
        Statistics.label("decoded")
                .collect(values != null)
                .coverage(coverage -> coverage.check(true).percentage(share -> share > 10));
    }

    /** What a server tells the truth about. */
    enum Honesty {
        NOTHING(false, false, false),
        SIZE(false, false, true),
        TYPE_AND_SIZE(true, false, true),
        SHAPE_AND_SIZE(false, true, true),
        TYPE_AND_SHAPE(true, true, false),
        ALL_BUT_VALUES(true, true, true);

        private final boolean type;
        private final boolean shape;
        private final boolean size;

        Honesty(boolean type, boolean shape, boolean size) {
            this.type = type;
            this.shape = shape;
            this.size = size;
        }
    }

    private static long[] fitting(TensorColumn<?> column, int records, Random random) {
        long[] ofValue =
                Arrays.stream(column.shape()).map(d -> d == -1 ? varying(random) : d).toArray();
        return Column.withRecords(records, ofValue);
    }

    private static long varying(Random random) {
        return random.nextInt(8) == 0 ? 1L << random.nextInt(Long.SIZE) : random.nextInt(4);
    }

    /** In place of random bytes, which make huge lengths, those of BYTES are plausible. */
    private static Tensor tensor(TensorDataType type, long[] shape, boolean fits, Random random) {
        long elements = 1;
        for (long dimension : shape) {
            elements *= dimension;
        }
        ByteBuffer contents;
        if (!fits || elements < 0 || elements > 1024) {
            contents = ByteBuffer.wrap(bytes(random, random.nextInt(64)));
        } else if (type == TensorDataType.BYTES) {
            contents = ByteBuffer.allocate((int) elements * 8 + random.nextInt(2));
            for (int i = 0; i < elements; i++) {
                contents.put(i * 8, (byte) 4);
                if (random.nextInt(16) == 0) {
                    contents.putInt(i * 8, random.nextInt());
                }
            }
        } else {
            contents = ByteBuffer.wrap(bytes(random, (int) elements * type.byteSize()));
        }
        return new Tensor("x", type, shape, contents);
    }

    private static byte[] bytes(Random random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    /** The same values come back, or the error says which record is not like the others. */
    @Property(tries = 2_000)
    void arraysOfOneLengthGoThereAndBack(@ForAll List<float[]> values) {
        TensorColumn<float[]> column = TensorColumn.ofFloatArray("x");
        boolean alike = values.stream().mapToInt(value -> value.length).distinct().count() == 1;
        try {
            Tensor tensor = column.encode(values);
            assertThat(alike).isTrue();
            assertThat(column.decode(tensor, values.size()))
                    .usingElementComparator(Arrays::compare)
                    .containsExactlyElementsOf(values);
        } catch (IllegalArgumentException e) {
            assertThat(alike).isFalse();
        }
    }

    @Property(tries = 300)
    void textGoesThereAndBack(@ForAll("texts") List<String> values) {
        TensorColumn<String> column = TensorColumn.ofString("x");
        assertThat(column.decode(column.encode(values), values.size()))
                .containsExactlyElementsOf(values);
    }

    @Provide
    Arbitrary<List<String>> texts() {
        return Arbitraries.strings()
                .filter(text -> text.codePoints().noneMatch(ColumnProperties::isHalf))
                .list()
                .ofMinSize(1);
    }

    private static boolean isHalf(int codePoint) {
        return codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE;
    }

    @Property(tries = 1_000)
    void nestedListsGoThereAndBack(
            @ForAll @IntRange(min = 1, max = 4) int records,
            @ForAll @IntRange(min = 1, max = 4) int rows,
            @ForAll @IntRange(min = 1, max = 4) int columns,
            @ForAll Random random) {
        List<List<List<Long>>> values = new ArrayList<>();
        for (int i = 0; i < records; i++) {
            List<List<Long>> value = new ArrayList<>();
            for (int j = 0; j < rows; j++) {
                value.add(random.longs(columns).boxed().toList());
            }
            values.add(value);
        }
        TensorColumn<List<List<Long>>> column =
                TensorColumn.of("x", Types.LIST(Types.LIST(Types.LONG)));
        Tensor tensor = column.encode(values);
        assertThat(tensor.shape()).containsExactly(records, rows, columns);
        assertThat(column.decode(tensor, records)).isEqualTo(values);
    }

    /** A wider type holds every value of a narrower one, whichever the column is. */
    @Property(tries = 2_000)
    void widerTypesKeepEveryValue(@ForAll List<Integer> values) {
        if (values.isEmpty()) {
            return;
        }
        Tensor ints = TensorColumn.ofInt("x").encode(values);
        List<Long> longs = values.stream().map(Integer::longValue).toList();
        List<Double> doubles = values.stream().map(Integer::doubleValue).toList();
        assertThat(TensorColumn.ofLong("x").decode(ints, values.size())).isEqualTo(longs);
        assertThat(TensorColumn.ofDouble("x").decode(ints, values.size())).isEqualTo(doubles);
        Tensor wide = TensorColumn.ofInt("x").as(TensorDataType.FP64).encode(values);
        assertThat(TensorColumn.ofInt("x").as(TensorDataType.FP64).decode(wide, values.size()))
                .isEqualTo(values);
    }
}
