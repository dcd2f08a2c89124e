package io.asyncbatch.flink.arrow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.arrow.ElementSamples.Sample;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.util.Arrays;
import java.util.List;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.VectorUnloader;
import org.apache.arrow.vector.compression.CompressionCodec;
import org.apache.arrow.vector.compression.CompressionUtil;
import org.apache.arrow.vector.ipc.WriteChannel;
import org.apache.arrow.vector.ipc.message.ArrowRecordBatch;
import org.apache.arrow.vector.ipc.message.MessageSerializer;
import org.apache.arrow.vector.types.pojo.Schema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class MalformedBatchTest {

    private static final long[] EXTREMES = {
        -1, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 31, 1L << 40, 1L << 62, 0x7FFFFFFF80000000L
    };

    static List<Sample<?>> samples() {
        return ElementSamples.all();
    }

    @ParameterizedTest
    @MethodSource("samples")
    <T> void everyTruncationIsReported(Sample<T> sample) {
        try (Codec<T> codec = new Codec<>(sample.type())) {
            byte[] bytes = codec.encode(sample.rows());
            for (int length = 0; length < bytes.length; length++) {
                byte[] shorter = Arrays.copyOf(bytes, length);
                assertThatThrownBy(() -> codec.decode(shorter, sample.rows().size()))
                        .isInstanceOf(MalformedBatchException.class);
                assertThat(codec.heldBytes()).isZero();
            }
        }
    }

    @ParameterizedTest
    @MethodSource("samples")
    <T> void everyByteSetIsReportedOrHarmless(Sample<T> sample) {
        try (Codec<T> codec = new Codec<>(sample.type())) {
            byte[] bytes = codec.encode(sample.rows());
            for (int i = 0; i < bytes.length; i++) {
                for (byte value : new byte[] {(byte) 0xFF, 0x7F, 0}) {
                    byte[] damaged = bytes.clone();
                    damaged[i] = value;
                    try {
                        assertThat(codec.decode(damaged, sample.rows().size()))
                                .hasSize(sample.rows().size());
                    } catch (MalformedBatchException e) {
                        assertThat(codec.heldBytes()).isZero();
                    }
                }
            }
        }
    }

    /** Offsets, lengths, counts and sizes that are huge or negative. */
    @ParameterizedTest
    @MethodSource("samples")
    <T> void everyWordSetToAnExtremeIsReportedOrHarmless(Sample<T> sample) {
        try (Codec<T> codec = new Codec<>(sample.type())) {
            byte[] bytes = codec.encode(sample.rows());
            for (int at = 0; at + Long.BYTES <= bytes.length; at += Integer.BYTES) {
                for (long value : EXTREMES) {
                    byte[] damaged = bytes.clone();
                    ByteBuffer words = ByteBuffer.wrap(damaged).order(ByteOrder.LITTLE_ENDIAN);
                    if (at % Long.BYTES == 0) {
                        words.putLong(at, value);
                    } else {
                        words.putInt(at, (int) (value >> Integer.SIZE));
                    }
                    try {
                        assertThat(codec.decode(damaged, sample.rows().size()))
                                .hasSize(sample.rows().size());
                    } catch (MalformedBatchException e) {
                        assertThat(codec.heldBytes()).isZero();
                    }
                }
            }
        }
    }

    /** What it unpacks to may be a thousand times what was sent. */
    @Test
    void compressedBatchIsReportedBeforeItIsUnpacked() {
        Schema schema = ArrowSchemas.forType(Types.LONG);
        try (Codec<Long> codec = new Codec<>(Types.LONG);
                VectorSchemaRoot root = VectorSchemaRoot.create(schema, codec.reading)) {
            root.allocateNew();
            root.setRowCount(1_000);
            VectorUnloader unloader = new VectorUnloader(root, true, new SaysLz4(), true);
            byte[] bytes;
            try (ArrowRecordBatch batch = unloader.getRecordBatch()) {
                ByteArrayOutputStream output = new ByteArrayOutputStream();
                MessageSerializer.serialize(new WriteChannel(Channels.newChannel(output)), batch);
                bytes = output.toByteArray();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            long held = codec.heldBytes();
            assertThatThrownBy(() -> codec.reader.read(ByteBuffer.wrap(bytes), 1_000))
                    .isInstanceOf(MalformedBatchException.class)
                    .hasMessageContaining("Compressed");
            assertThat(codec.heldBytes()).isEqualTo(held);
        }
    }

    /** Compresses nothing and says that it did. */
    private static final class SaysLz4 implements CompressionCodec {

        @Override
        public ArrowBuf compress(BufferAllocator allocator, ArrowBuf uncompressed) {
            return uncompressed;
        }

        @Override
        public ArrowBuf decompress(BufferAllocator allocator, ArrowBuf compressed) {
            throw new AssertionError("nothing is to be unpacked");
        }

        @Override
        public CompressionUtil.CodecType getCodecType() {
            return CompressionUtil.CodecType.LZ4_FRAME;
        }
    }

    @Test
    void otherRowCountIsReported() {
        assertMalformed(Types.LONG, List.of(1L, 2L), 3, "Expected 3 rows");
    }

    @Test
    void batchOfAnotherTypeIsReported() {
        try (Codec<Long> codec = new Codec<>(Types.LONG);
                Codec<String> other = new Codec<>(Types.STRING)) {
            byte[] bytes = other.encode(List.of("a"));
            assertThatThrownBy(() -> codec.decode(bytes, 1))
                    .isInstanceOf(MalformedBatchException.class)
                    .hasMessageContaining("buffers");
        }
    }

    @Test
    void schemaMessageIsReported() {
        try (Codec<Long> codec = new Codec<>(Types.LONG)) {
            byte[] schema = ArrowSchemas.toBytes(ArrowSchemas.forType(Types.LONG));
            assertThatThrownBy(() -> codec.decode(schema, 1))
                    .isInstanceOf(MalformedBatchException.class)
                    .hasMessageContaining("headerType");
        }
    }

    @Test
    void nullWhereNoneIsAllowedIsReported() {
        try (Codec<Long[]> boxed = new Codec<>(Types.OBJECT_ARRAY(Types.LONG));
                Codec<List<Long>> list = new Codec<>(Types.LIST(Types.LONG))) {
            byte[] bytes = boxed.encode(List.<Long[]>of(new Long[] {1L, null}));
            assertThatThrownBy(() -> list.decode(bytes, 1))
                    .isInstanceOf(MalformedBatchException.class)
                    .hasMessageContaining("value[]")
                    .hasMessageContaining("position 1");
        }
    }

    @Test
    void readerGoesOnAfterDamage() {
        try (Codec<String> codec = new Codec<>(Types.STRING)) {
            byte[] bytes = codec.encode(List.of("a", "b"));
            assertThatThrownBy(() -> codec.decode(new byte[16], 2))
                    .isInstanceOf(MalformedBatchException.class);
            assertThat(codec.decode(bytes, 2)).containsExactly("a", "b");
        }
    }

    @Test
    void bodyIsReadFromItsPositionAndLeftThere() {
        try (Codec<String> codec = new Codec<>(Types.STRING)) {
            byte[] bytes = codec.encode(List.of("a", "b"));
            ByteBuffer body =
                    ByteBuffer.allocateDirect(bytes.length + 12).order(ByteOrder.BIG_ENDIAN);
            body.position(5);
            body.put(bytes).flip().position(5);
            assertThat(codec.reader.read(body, 2)).containsExactly("a", "b");
            assertThat(body.position()).isEqualTo(5);
            assertThat(codec.reader.read(ByteBuffer.wrap(bytes), 2)).containsExactly("a", "b");
        }
    }

    private static <T> void assertMalformed(
            TypeInformation<T> type, List<T> rows, int expectedRows, String message) {
        try (Codec<T> codec = new Codec<>(type)) {
            byte[] bytes = codec.encode(rows);
            assertThatThrownBy(() -> codec.decode(bytes, expectedRows))
                    .isInstanceOf(MalformedBatchException.class)
                    .hasMessageContaining(message);
        }
    }
}
