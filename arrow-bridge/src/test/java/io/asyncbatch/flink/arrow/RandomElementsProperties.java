package io.asyncbatch.flink.arrow;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.arrow.RandomElements.Batch;
import java.util.List;
import java.util.Random;
import java.util.function.ToLongFunction;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.ShrinkingMode;
import org.apache.flink.api.common.typeinfo.TypeInformation;

class RandomElementsProperties {

    @Provide
    Arbitrary<Batch> batches() {
        return RandomElements.batches();
    }

    @Property(tries = 400, shrinking = ShrinkingMode.BOUNDED)
    void anyElementsOfAnyTypeReturn(@ForAll("batches") Batch batch) {
        roundTrip(batch.type(), batch.rows());
    }

    @Property(tries = 400, shrinking = ShrinkingMode.OFF)
    void anyDamageIsReportedOrHarmless(@ForAll("batches") Batch batch, @ForAll long seed) {
        damage(batch.type(), batch.rows(), new Random(seed));
    }

    @SuppressWarnings("unchecked")
    private static <T> void roundTrip(TypeInformation<T> type, List<?> rows) {
        List<T> elements = (List<T>) rows;
        try (Codec<T> codec = new Codec<>(type)) {
            byte[] bytes = codec.encode(elements);
            Elements.assertEqual(codec.decode(bytes, rows.size()), rows);
            Elements.assertEqual(codec.lend(elements), rows);
            ToLongFunction<T> size = RowSizes.estimator(type);
            long estimate = elements.stream().mapToLong(size).sum();
            assertThat(estimate).isBetween(0L, 8L * bytes.length);
        }
    }

    @SuppressWarnings("unchecked")
    private static <T> void damage(TypeInformation<T> type, List<?> rows, Random random) {
        try (Codec<T> codec = new Codec<>(type)) {
            byte[] bytes = codec.encode((List<T>) rows);
            for (int i = 0; i < 20; i++) {
                byte[] damaged = bytes.clone();
                for (int flips = 1 + random.nextInt(3); flips > 0; flips--) {
                    damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
                }
                try {
                    assertThat(codec.decode(damaged, rows.size())).hasSize(rows.size());
                } catch (MalformedBatchException e) {
                    assertThat(e).hasMessageNotContaining("null pointer");
                    assertThat(codec.heldBytes()).isZero();
                }
            }
        }
    }
}
