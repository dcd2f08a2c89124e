package io.asyncbatch.flink.proto;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Message;
import com.google.protobuf.TextFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Holds the messages to the bytes that the Python worker's tests read too. */
class GoldenMessagesTest {

    private static final Path GOLDEN = Path.of("golden");

    @Test
    void functionIsWhatBothLanguagesAgreedOn() throws IOException {
        Message expected = parseText("function", UserDefinedAsyncBatchFunction.newBuilder());
        byte[] golden = Files.readAllBytes(GOLDEN.resolve("function.bin"));
        assertThat(expected.toByteArray()).isEqualTo(golden);
        assertThat(UserDefinedAsyncBatchFunction.parseFrom(golden)).isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "frame_hello",
                "frame_invoke",
                "frame_timeout",
                "frame_cancel",
                "frame_result",
                "frame_retry",
                "frame_failure",
                "frame_part",
                "frame_too_large",
                "frame_overloaded"
            })
    void framesAreWhatBothLanguagesAgreedOn(String name) throws IOException {
        Message expected = parseText(name, FrameHeader.newBuilder());
        byte[] golden = Files.readAllBytes(GOLDEN.resolve(name + ".bin"));
        ByteBuffer frame = ByteBuffer.wrap(golden).order(ByteOrder.LITTLE_ENDIAN);
        int headerBytes = frame.getInt();
        long bodyBytes = frame.getLong();
        byte[] header = new byte[headerBytes];
        frame.get(header);
        assertThat(header).isEqualTo(expected.toByteArray());
        assertThat(FrameHeader.parseFrom(header)).isEqualTo(expected);
        assertThat(bodyBytes).isEqualTo(frame.remaining());
        assertThat(Arrays.copyOfRange(golden, frame.position(), golden.length))
                .isEqualTo("body".getBytes(StandardCharsets.UTF_8));
    }

    private static Message parseText(String name, Message.Builder builder) throws IOException {
        TextFormat.merge(Files.readString(GOLDEN.resolve(name + ".textproto")), builder);
        return builder.build();
    }
}
