package io.asyncbatch.flink.arrow;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.arrow.ElementSamples.Sample;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Holds the bytes to the golden files that the Python tests read too. Run with {@code
 * -Dasyncbatch.golden.write=true} to write them anew.
 */
class GoldenBatchesTest {

    private static final Path GOLDEN = Path.of("..", "proto", "golden");
    private static final boolean WRITE = Boolean.getBoolean("asyncbatch.golden.write");

    static List<Sample<?>> samples() {
        return ElementSamples.all();
    }

    @ParameterizedTest
    @MethodSource("samples")
    void schemaHasTheGoldenBytes(Sample<?> sample) throws IOException {
        check("arrow_" + sample.name() + ".schema", schema(sample));
    }

    @ParameterizedTest
    @MethodSource("samples")
    <T> void batchHasTheGoldenBytes(Sample<T> sample) throws IOException {
        try (Codec<T> codec = new Codec<>(sample.type())) {
            check("arrow_" + sample.name() + ".batch", codec.encode(sample.rows()));
        }
    }

    @ParameterizedTest
    @MethodSource("samples")
    <T> void readsTheGoldenBatchOfPython(Sample<T> sample) throws IOException {
        byte[] bytes = Files.readAllBytes(GOLDEN.resolve("arrow_" + sample.name() + ".python"));
        try (Codec<T> codec = new Codec<>(sample.type())) {
            Elements.assertEqual(codec.decode(bytes, sample.rows().size()), sample.rows());
        }
    }

    private static byte[] schema(Sample<?> sample) {
        return ArrowSchemas.toBytes(ArrowSchemas.forType(sample.type()));
    }

    private static void check(String file, byte[] actual) throws IOException {
        if (WRITE) {
            Files.write(GOLDEN.resolve(file), actual);
        }
        assertThat(actual).isEqualTo(Files.readAllBytes(GOLDEN.resolve(file)));
    }
}
