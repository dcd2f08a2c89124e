package io.asyncbatch.flink.example;

import io.asyncbatch.flink.AsyncBatchOptions;
import io.asyncbatch.flink.AsyncDataStream;
import io.asyncbatch.flink.ExponentialBackoffRetryStrategy;
import io.asyncbatch.flink.sidecar.GpuSidecarAsyncBatchFunction;
import io.asyncbatch.flink.sidecar.SidecarOptions;
import io.asyncbatch.flink.sidecar.SidecarRetryPredicate;
import io.asyncbatch.flink.sidecar.TensorCodec;
import io.asyncbatch.flink.sidecar.TensorCodecOptions;
import io.asyncbatch.flink.sidecar.TensorCodecs;
import io.asyncbatch.flink.sidecar.TensorDataType;
import io.asyncbatch.flink.sidecar.TensorField;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;

/**
 * Classifies handwritten digits through a model server next door: {@code python -m
 * pyflink_async_batch.sidecar}, which could as well be Triton or MLServer. Run it with {@code make
 * sidecar-demo}; {@code examples/image_sidecar.py} is the same in Python.
 *
 * <p>Arguments: the Python interpreter that has the wheel, the directory with {@code
 * digit_reader.py}, and the directory that {@code train_digits.py} wrote.
 */
public final class ImageSidecar {

    private static final TypeInformation<Row> IMAGE =
            Types.ROW_NAMED(
                    new String[] {"unseen", "label", "pixels"},
                    Types.BOOLEAN,
                    Types.LONG,
                    Types.PRIMITIVE_ARRAY(Types.BYTE));
    private static final TypeInformation<Row> READ_AS =
            Types.ROW_NAMED(
                    new String[] {"unseen", "label", "digit"},
                    Types.BOOLEAN,
                    Types.LONG,
                    Types.LONG);

    private ImageSidecar() {}

    public static void main(String[] arguments) throws Exception {
        String python = arguments[0];
        Path modelCode = Path.of(arguments[1]);
        Path prepared = Path.of(arguments[2]);
        Path directory = Files.createTempDirectory("digits-");
        String endpoint = "unix://" + directory.resolve("model.sock");
        Process sidecar = startSidecar(python, modelCode, prepared, endpoint);
        try {
            double accuracy = accuracy(readDigits(endpoint, images(prepared)));
            System.out.printf("%.2f%% of unseen images are read right%n", 100 * accuracy);
        } finally {
            sidecar.destroy();
            sidecar.waitFor();
            Files.delete(directory);
        }
    }

    private static Process startSidecar(
            String python, Path modelCode, Path prepared, String endpoint) throws IOException {
        ProcessBuilder command =
                new ProcessBuilder(
                        python,
                        "-m",
                        "pyflink_async_batch.sidecar",
                        "--model",
                        "digit_reader:ReadDigits",
                        "--model-name",
                        "digits",
                        "--model-arg",
                        "model=\"%s\"".formatted(prepared.resolve("model.onnx").toAbsolutePath()),
                        "--endpoint",
                        endpoint);
        command.environment().put("PYTHONPATH", modelCode.toString());
        return command.inheritIO().start();
    }

    private static List<Row> images(Path prepared) throws IOException {
        return Files.readAllLines(prepared.resolve("images.csv")).stream()
                .map(line -> line.split(","))
                .map(
                        fields ->
                                Row.of(
                                        fields[1].equals("1"),
                                        Long.parseLong(fields[0]),
                                        Base64.getDecoder().decode(fields[2])))
                .toList();
    }

    private static CloseableIterator<Row> readDigits(String endpoint, List<Row> images)
            throws Exception {
        TensorCodec<Row, Row> codec =
                TensorCodecs.forTypes(
                        IMAGE,
                        READ_AS,
                        TensorCodecOptions.builder()
                                .input(
                                        TensorField.of("pixels")
                                                .dataType(TensorDataType.UINT8)
                                                .shape(8, 8))
                                .output("digit")
                                .copyRecordFields()
                                .build());
        DataStream<Row> digits =
                AsyncDataStream.unorderedWaitBatchWithRetry(
                                StreamExecutionEnvironment.getExecutionEnvironment()
                                        .fromData(images, IMAGE),
                                // Waits until the server is there and its model ready.
                                new GpuSidecarAsyncBatchFunction<>(
                                        SidecarOptions.builder(endpoint, "digits").build(), codec),
                                AsyncBatchOptions.builder(64, Duration.ofSeconds(30))
                                        .batchTimeout(Duration.ofMillis(100))
                                        .build(),
                                ExponentialBackoffRetryStrategy.<Row>builder(
                                                3, Duration.ofMillis(200))
                                        .fullJitter()
                                        .ifException(new SidecarRetryPredicate())
                                        .build())
                        .returns(READ_AS);
        return digits.executeAndCollect("image sidecar");
    }

    private static double accuracy(CloseableIterator<Row> digits) throws Exception {
        int unseen = 0;
        int right = 0;
        try (digits) {
            while (digits.hasNext()) {
                Row digit = digits.next();
                if (digit.<Boolean>getFieldAs("unseen")) {
                    unseen++;
                    right += digit.getField("label").equals(digit.getField("digit")) ? 1 : 0;
                }
            }
        }
        return (double) right / unseen;
    }
}
