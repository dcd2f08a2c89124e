package io.asyncbatch.flink.arrow;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.arrow.ElementSamples.Sample;
import java.io.Serializable;
import java.math.BigDecimal;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.ToLongFunction;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.types.Row;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class RowSizesTest {

    static List<Sample<?>> samples() {
        return ElementSamples.all();
    }

    @Test
    void fixedWidthTypesAreConstant() {
        assertThat(size(Types.LONG, 1L)).isEqualTo(8);
        assertThat(size(Types.LONG, null)).isEqualTo(8);
        assertThat(size(Types.TUPLE(Types.INT, Types.BOOLEAN), Tuple2.of(1, true))).isEqualTo(5);
        assertThat(size(Types.ROW(Types.INT, Types.DOUBLE), Row.of(1, null))).isEqualTo(13);
    }

    @Test
    void variableTypesCountTheirBytes() {
        assertThat(size(Types.STRING, "abc")).isEqualTo(7);
        assertThat(size(Types.STRING, "\u00e4\u20ac\ud83d\ude00")).isEqualTo(4 + 2 + 3 + 4);
        assertThat(size(PrimitiveArrayTypeInfo.FLOAT_PRIMITIVE_ARRAY_TYPE_INFO, new float[1000]))
                .isEqualTo(4004);
        assertThat(size(Types.LIST(Types.STRING), List.of("a", "b"))).isEqualTo(4 + 5 + 5);
        assertThat(size(Types.MAP(Types.STRING, Types.LONG), Map.of("k", 1L))).isEqualTo(4 + 5 + 8);
        assertThat(size(Types.ROW(Types.STRING), Row.of((Object) null))).isEqualTo(5);
        assertThat(size(Types.BIG_DEC, new BigDecimal("1E+1000000000"))).isLessThan(100);
    }

    @Test
    void misfitsCountNothingInsteadOfFailing() {
        assertThat(rawSize(Types.STRING, 1)).isEqualTo(4);
        assertThat(rawSize(Types.ROW(Types.STRING), Row.of(1, 2))).isEqualTo(1);
        assertThat(rawSize(Types.LIST(Types.STRING), "x")).isEqualTo(4);
    }

    @ParameterizedTest
    @MethodSource("samples")
    @SuppressWarnings("unchecked")
    <T> void estimateFollowsTheEncodedSize(Sample<T> sample) throws Exception {
        ToLongFunction<T> estimator =
                (ToLongFunction<T>)
                        InstantiationUtil.clone((Serializable) RowSizes.estimator(sample.type()));
        T row = sample.rows().get(0);
        try (Codec<T> codec = new Codec<>(sample.type())) {
            long encoded = codec.encode(Collections.nCopies(2000, row)).length / 2000;
            // Validity bits and padding are not counted, a boolean counts a byte.
            assertThat(estimator.applyAsLong(row)).isBetween(encoded * 3 / 5 - 2, encoded * 2 + 12);
        }
    }

    private static <T> long size(TypeInformation<T> type, T value) {
        return RowSizes.estimator(type).applyAsLong(value);
    }

    @SuppressWarnings("unchecked")
    private static long rawSize(TypeInformation<?> type, Object value) {
        return ((ToLongFunction<Object>) (ToLongFunction<?>) RowSizes.estimator(type))
                .applyAsLong(value);
    }
}
