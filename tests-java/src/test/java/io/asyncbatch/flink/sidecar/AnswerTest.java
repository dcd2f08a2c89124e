package io.asyncbatch.flink.sidecar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.google.protobuf.ByteString;
import io.asyncbatch.flink.proto.inference.InferParameter;
import io.asyncbatch.flink.proto.inference.InferTensorContents;
import io.asyncbatch.flink.proto.inference.ModelInferResponse;
import io.asyncbatch.flink.proto.inference.ModelInferResponse.InferOutputTensor;
import io.asyncbatch.flink.sidecar.SidecarException.Kind;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What is checked of an answer, and what both forms of contents become. */
@Timeout(60)
class AnswerTest {

    private MockSidecar server;
    private ClientRig rig;

    @BeforeEach
    void open() throws Exception {
        server = MockSidecar.onTcp();
        rig = ClientRig.open(server.options().modelVersion("7"));
    }

    @AfterEach
    void close() throws Exception {
        rig.close();
        server.close();
    }

    private static Arguments wrong(
            String what, Kind kind, String message, Consumer<ModelInferResponse.Builder> damage) {
        return Arguments.of(what, kind, message, damage);
    }

    private static Arguments wrong(
            String what, String message, Consumer<ModelInferResponse.Builder> damage) {
        return wrong(what, Kind.INVALID_TENSOR, message, damage);
    }

    private static InferOutputTensor.Builder output(ModelInferResponse.Builder answer) {
        return answer.getOutputsBuilder(0);
    }

    private static void bytes(ModelInferResponse.Builder answer, int... contents) {
        output(answer).setDatatype("BYTES").clearShape().addShape(1);
        byte[] raw = new byte[contents.length];
        for (int i = 0; i < raw.length; i++) {
            raw[i] = (byte) contents[i];
        }
        answer.setRawOutputContents(0, ByteString.copyFrom(raw));
    }

    static Stream<Arguments> damages() {
        return Stream.of(
                wrong("foreign id", Kind.INTERNAL, "id '1' was asked for", a -> a.setId("99")),
                wrong(
                        "no id",
                        Kind.INTERNAL,
                        "and '' answered",
                        ModelInferResponse.Builder::clearId),
                wrong(
                        "other model",
                        Kind.INTERNAL,
                        "model 'times-ten' was asked for, and 'other' answered",
                        a -> a.setModelName("other")),
                wrong(
                        "other version",
                        Kind.MODEL_NOT_FOUND,
                        "model version '7' was asked for, and '8' answered",
                        a -> a.setModelVersion("8")),
                wrong(
                        "no outputs",
                        "'y' is missing",
                        a -> a.clearOutputs().clearRawOutputContents()),
                wrong("other output", "'y' is missing", a -> output(a).setName("z")),
                wrong(
                        "an output twice",
                        "comes twice",
                        a ->
                                a.addOutputs(output(a).build())
                                        .addRawOutputContents(a.getRawOutputContents(0))),
                wrong("unknown type", "unknown type 'INT65'", a -> output(a).setDatatype("INT65")),
                wrong("other type", "8 bytes", a -> output(a).setDatatype("INT32")),
                wrong("larger shape", "needs", a -> output(a).setShape(0, 2)),
                wrong("negative dimension", "negative", a -> output(a).setShape(0, -1)),
                wrong(
                        "dimensions that overflow to the right size",
                        "more elements than a long",
                        a -> output(a).clearShape().addShape(1L << 62).addShape(1L << 62)),
                wrong(
                        "elements whose size overflows",
                        "needs",
                        a -> output(a).clearShape().addShape(1L << 61)),
                wrong(
                        "no contents",
                        "its contents have 0 bytes",
                        ModelInferResponse.Builder::clearRawOutputContents),
                wrong(
                        "more contents than outputs",
                        "1 outputs and 2 raw contents",
                        a -> a.addRawOutputContents(ByteString.EMPTY)),
                wrong(
                        "raw and typed contents",
                        "raw and typed",
                        a -> output(a).getContentsBuilder().addInt64Contents(1)),
                wrong(
                        "region that nobody offered",
                        "not offered",
                        a ->
                                output(a)
                                        .putParameters(
                                                "shared_memory_region",
                                                InferParameter.newBuilder()
                                                        .setStringParam("foreign")
                                                        .build())),
                wrong("element past the end", "past the end", a -> bytes(a, 9, 0, 0, 0, 1)),
                wrong("element of negative length", "past the end", a -> bytes(a, 0, 0, 0, 255)),
                wrong(
                        "half a length",
                        "needs 4 bytes for the length of each of 1 elements",
                        a -> bytes(a, 1, 0)),
                wrong("two elements for one", "2 elements", a -> bytes(a, 0, 0, 0, 0, 0, 0, 0, 0)),
                wrong("bytes behind the last", "1 bytes more", a -> bytes(a, 0, 0, 0, 0, 1)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("damages")
    void whatIsNotAsAskedIsRefused(
            String what, Kind kind, String message, Consumer<ModelInferResponse.Builder> damage)
            throws Exception {
        server.behaviour =
                inference -> {
                    ModelInferResponse.Builder answer = inference.answer().toBuilder();
                    damage.accept(answer);
                    inference.send(answer.build());
                };
        SidecarException failure = rig.call(1L).sidecarFailure();
        assertThat(failure).hasMessageContaining(message);
        assertThat(failure.kind()).isEqualTo(kind);
        assertThat(failure.isRetryable()).isFalse();
        server.release();
        assertThat(rig.call(5L).get()).containsExactly(50L);
    }

    @Test
    void withoutAVersionThatWasAskedForAnyAnswers() throws Exception {
        try (ClientRig any = ClientRig.open(server.options())) {
            server.behaviour =
                    inference ->
                            inference.send(
                                    inference.answer().toBuilder().setModelVersion("8").build());
            assertThat(any.call(1L).get()).containsExactly(10L);
        }
    }

    @Test
    void outputsThatNobodyAskedForAreLeftOut() throws Exception {
        server.behaviour =
                inference -> {
                    ModelInferResponse right = inference.answer();
                    ModelInferResponse.Builder answer = inference.empty();
                    answer.addOutputs(right.getOutputs(0).toBuilder().setName("more"));
                    answer.addRawOutputContents(ByteString.copyFrom(new byte[8]));
                    answer.addOutputs(right.getOutputs(0));
                    answer.addRawOutputContents(right.getRawOutputContents(0));
                    inference.send(answer.build());
                };
        assertThat(rig.call(3L).get()).containsExactly(30L);
        assertThat(
                        rig.call(List.of(), outputs -> outputs.stream().map(Tensor::name).toList())
                                .get(30, TimeUnit.SECONDS))
                .containsExactly("more", "y");
    }

    private static Arguments typed(
            TensorDataType type, InferTensorContents.Builder contents, Consumer<ByteBuffer> raw) {
        ByteBuffer expected = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
        raw.accept(expected);
        return Arguments.of(
                type, contents.build(), Arrays.copyOf(expected.array(), expected.position()));
    }

    private static InferTensorContents.Builder contents() {
        return InferTensorContents.newBuilder();
    }

    static Stream<Arguments> typedContents() {
        return Stream.of(
                typed(
                        TensorDataType.BOOL,
                        contents().addBoolContents(true).addBoolContents(false),
                        raw -> raw.put((byte) 1).put((byte) 0)),
                typed(
                        TensorDataType.INT8,
                        contents().addIntContents(-128).addIntContents(127),
                        raw -> raw.put((byte) -128).put((byte) 127)),
                typed(
                        TensorDataType.INT16,
                        contents().addIntContents(-2).addIntContents(300),
                        raw -> raw.putShort((short) -2).putShort((short) 300)),
                typed(
                        TensorDataType.INT32,
                        contents().addIntContents(-70_000).addIntContents(1),
                        raw -> raw.putInt(-70_000).putInt(1)),
                typed(
                        TensorDataType.INT64,
                        contents().addInt64Contents(-1).addInt64Contents(1L << 40),
                        raw -> raw.putLong(-1).putLong(1L << 40)),
                typed(
                        TensorDataType.UINT8,
                        contents().addUintContents(255).addUintContents(0),
                        raw -> raw.put((byte) 255).put((byte) 0)),
                typed(
                        TensorDataType.UINT16,
                        contents().addUintContents(65_535).addUintContents(1),
                        raw -> raw.putShort((short) -1).putShort((short) 1)),
                typed(
                        TensorDataType.UINT32,
                        contents().addUintContents(-1).addUintContents(1),
                        raw -> raw.putInt(-1).putInt(1)),
                typed(
                        TensorDataType.UINT64,
                        contents().addUint64Contents(-1).addUint64Contents(1),
                        raw -> raw.putLong(-1).putLong(1)),
                typed(
                        TensorDataType.FP32,
                        contents().addFp32Contents(0.5f).addFp32Contents(-1),
                        raw -> raw.putFloat(0.5f).putFloat(-1)),
                typed(
                        TensorDataType.FP64,
                        contents().addFp64Contents(0.5).addFp64Contents(-1),
                        raw -> raw.putDouble(0.5).putDouble(-1)),
                typed(
                        TensorDataType.BYTES,
                        contents()
                                .addBytesContents(ByteString.copyFromUtf8("ä"))
                                .addBytesContents(ByteString.EMPTY),
                        raw -> raw.putInt(2).put((byte) 0xC3).put((byte) 0xA4).putInt(0)));
    }

    @ParameterizedTest
    @MethodSource
    void typedContents(TensorDataType type, InferTensorContents contents, byte[] raw)
            throws Exception {
        answerTyped(type, contents);
        byte[] read =
                rig.call(
                                List.of("y"),
                                outputs -> {
                                    byte[] bytes = new byte[outputs.get(0).contents().remaining()];
                                    outputs.get(0).contents().get(bytes);
                                    return bytes;
                                })
                        .get(30, TimeUnit.SECONDS);
        assertThat(read).isEqualTo(raw);
    }

    static Stream<Arguments> typedContentsThatDoNotFit() {
        return Stream.of(
                Arguments.of(TensorDataType.INT8, contents().addIntContents(128).addIntContents(0)),
                Arguments.of(
                        TensorDataType.INT16, contents().addIntContents(0).addIntContents(-32_769)),
                Arguments.of(
                        TensorDataType.UINT8, contents().addUintContents(-1).addUintContents(0)),
                Arguments.of(
                        TensorDataType.UINT16,
                        contents().addUintContents(65_536).addUintContents(0)),
                Arguments.of(TensorDataType.FP16, contents().addFp32Contents(1).addFp32Contents(1)),
                Arguments.of(TensorDataType.INT64, contents().addInt64Contents(1)),
                Arguments.of(TensorDataType.INT64, contents().addIntContents(1).addIntContents(1)));
    }

    @ParameterizedTest
    @MethodSource
    void typedContentsThatDoNotFit(TensorDataType type, InferTensorContents.Builder contents) {
        answerTyped(type, contents.build());
        Throwable failure =
                catchThrowable(
                        () -> rig.call(List.of("y"), outputs -> 0).get(30, TimeUnit.SECONDS));
        assertThat(failure).hasCauseInstanceOf(SidecarException.InvalidTensor.class);
    }

    private void answerTyped(TensorDataType type, InferTensorContents contents) {
        server.behaviour =
                inference ->
                        inference.send(
                                inference
                                        .empty()
                                        .addOutputs(
                                                InferOutputTensor.newBuilder()
                                                        .setName("y")
                                                        .setDatatype(type.name())
                                                        .addShape(2)
                                                        .setContents(contents))
                                        .build());
    }
}
