package io.asyncbatch.flink.arrow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.arrow.ElementSamples.Sample;
import io.asyncbatch.flink.arrow.RandomElements.Batch;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.ShrinkingMode;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class SharedBatchTest {

    static List<Sample<?>> samples() {
        return ElementSamples.all();
    }

    @Provide
    Arbitrary<Batch> batches() {
        return RandomElements.batches();
    }

    @ParameterizedTest
    @MethodSource("samples")
    <T> void anyTypeReturnsThroughSharedMemory(Sample<T> sample) {
        roundTrip(sample.type(), sample.rows());
        roundTrip(sample.type(), Collections.nCopies(300, sample.rows().get(0)));
    }

    @Property(tries = 300, shrinking = ShrinkingMode.BOUNDED)
    @SuppressWarnings({"unchecked", "rawtypes"})
    void anyElementsReturnThroughSharedMemory(@ForAll("batches") Batch batch) {
        roundTrip((TypeInformation) batch.type(), (List) batch.rows());
    }

    private static <T> void roundTrip(TypeInformation<T> type, List<T> rows) {
        try (Shared<T> shared = new Shared<>(type)) {
            for (int round = 0; round < 2; round++) {
                try (EncodedBatch batch = shared.writer.encode(rows, shared)) {
                    Elements.assertEqual(shared.read(batch, rows.size()), rows);
                }
                assertThat(shared.lent).isEmpty();
            }
        }
    }

    @Test
    void columnsOfKnownSizeAreMadeInTheRegion() {
        assertMadeInPlace(Types.LONG, Collections.nCopies(1000, 7L));
        assertMadeInPlace(Types.STRING, Collections.nCopies(1000, "text"));
        assertMadeInPlace(
                PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO,
                Arrays.asList(new byte[100_000], new byte[0], new byte[33]));
        assertMadeInPlace(
                PrimitiveArrayTypeInfo.FLOAT_PRIMITIVE_ARRAY_TYPE_INFO,
                Arrays.asList(new float[100_000], new float[1]));
        assertMadeInPlace(
                Types.ROW(Types.INT, Types.PRIMITIVE_ARRAY(Types.BYTE), Types.STRING),
                Arrays.asList(Row.of(1, new byte[50_000], null), Row.of(null, null, "a")));
    }

    /** Private memory is what a batch would have to be copied from. */
    private static <T> void assertMadeInPlace(TypeInformation<T> type, List<T> rows) {
        try (Shared<T> shared = new Shared<>(type)) {
            try (EncodedBatch batch = shared.writer.encode(rows, shared)) {
                assertThat(batch.region()).isPresent();
                assertThat(shared.taken).hasSize(1);
                assertThat(batch.byteCount()).isLessThanOrEqualTo(shared.taken.get(0));
                Elements.assertEqual(shared.read(batch, rows.size()), rows);
            }
        }
    }

    @Test
    void textThatGrowsPastThePlanIsCopied() {
        List<String> rows = Collections.nCopies(500, "\u00e4\u4e2d\ud83d\ude00");
        try (Shared<String> shared = new Shared<>(Types.STRING)) {
            try (EncodedBatch batch = shared.writer.encode(rows, shared)) {
                assertThat(shared.taken).hasSize(2);
                assertThat(shared.lent).hasSize(1);
                assertThat(shared.read(batch, rows.size())).isEqualTo(rows);
            }
        }
    }

    @Test
    void withoutRoomTheBatchStaysPrivate() {
        List<Long> rows = List.of(1L, 2L);
        try (Shared<Long> shared = new Shared<>(Types.LONG)) {
            shared.full = true;
            try (EncodedBatch batch = shared.writer.encode(rows, shared)) {
                assertThat(batch.region()).isEmpty();
                ByteBuffer bytes = ByteBuffer.wrap(Codec.bytes(batch));
                assertThat(shared.reader.read(bytes, 2)).isEqualTo(rows);
            }
        }
    }

    @Test
    void aMisfitGivesTheRegionBack() {
        try (Shared<Long> shared = new Shared<>(Types.LONG)) {
            assertThatThrownBy(() -> shared.writer.encode(Arrays.asList(1L, null), shared))
                    .isInstanceOf(ElementEncodingException.class)
                    .hasMessageContaining("null");
            assertThat(shared.taken).hasSize(1);
            assertThat(shared.lent).isEmpty();
        }
    }

    /** Regions of direct memory, and a codec over them that finds what is not given back. */
    private static final class Shared<T> implements SharedRegions, AutoCloseable {

        private final BridgeAllocator allocator = new BridgeAllocator("test", 1L << 28);
        private final BufferAllocator writing = allocator.regionChild("write", 1L << 28);
        private final BufferAllocator reading = allocator.child("read", 1L << 27);
        private final RecordBatchWriter<T> writer;
        private final RecordBatchReader<T> reader;
        private final List<Long> taken = new ArrayList<>();
        private final List<Region> lent = new ArrayList<>();
        private boolean full;

        Shared(TypeInformation<T> type) {
            writer = RecordBatchWriter.create(type, writing);
            reader = RecordBatchReader.create(type, reading);
        }

        @Override
        public Region take(long bytes) {
            if (full) {
                return null;
            }
            taken.add(bytes);
            ByteBuffer memory = ByteBuffer.allocateDirect((int) bytes + 128).alignedSlice(64);
            Region region =
                    new Region() {
                        @Override
                        public long offset() {
                            return 0;
                        }

                        @Override
                        public ByteBuffer bytes() {
                            return memory.slice(0, (int) bytes);
                        }

                        @Override
                        public void giveBack() {
                            assertThat(lent.remove(this)).isTrue();
                        }
                    };
            lent.add(region);
            return region;
        }

        List<T> read(EncodedBatch batch, int rows) {
            Region region = batch.region().orElseThrow();
            return reader.read(region.bytes().slice(0, (int) batch.byteCount()), rows);
        }

        @Override
        public void close() {
            assertThat(lent).isEmpty();
            assertThat(allocator.allocatedBytes()).isZero();
            writer.close();
            reader.close();
            allocator.close();
        }
    }
}
