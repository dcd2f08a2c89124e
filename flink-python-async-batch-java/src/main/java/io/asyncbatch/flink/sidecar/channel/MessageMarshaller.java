package io.asyncbatch.flink.sidecar.channel;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.Parser;
import io.grpc.Drainable;
import io.grpc.KnownLength;
import io.grpc.MethodDescriptor.Marshaller;
import io.grpc.Status;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import javax.annotation.Nullable;

/**
 * Protobuf messages as gRPC moves them. Unlike gRPC's own marshaller it leaves the contents of a
 * received message in the one array that was read, where that one copies each field once more.
 * Stateless.
 *
 * @param <T> type of the message
 */
final class MessageMarshaller<T extends Message> implements Marshaller<T> {

    private final Parser<T> parser;

    MessageMarshaller(Parser<T> parser) {
        this.parser = parser;
    }

    @Override
    public InputStream stream(T message) {
        return new MessageStream(message);
    }

    @Override
    public T parse(InputStream stream) {
        try {
            CodedInputStream input = CodedInputStream.newInstance(stream.readAllBytes());
            input.enableAliasing(true);
            T message = parser.parseFrom(input);
            input.checkLastTagWas(0);
            return message;
        } catch (InvalidProtocolBufferException e) {
            throw Status.INTERNAL
                    .withDescription("the server's message cannot be parsed: " + e.getMessage())
                    .asRuntimeException();
        } catch (IOException e) {
            throw Status.INTERNAL
                    .withDescription("the server's message cannot be read: " + e.getMessage())
                    .asRuntimeException();
        }
    }

    /** A message to send. gRPC asks for its length and has it written; it does not read it. */
    private static final class MessageStream extends InputStream implements Drainable, KnownLength {

        private final Message message;
        @Nullable private InputStream bytes;
        private boolean drained;

        private MessageStream(Message message) {
            this.message = message;
        }

        @Override
        public int drainTo(OutputStream target) throws IOException {
            CodedOutputStream output = CodedOutputStream.newInstance(target);
            message.writeTo(output);
            output.flush();
            drained = true;
            return message.getSerializedSize();
        }

        @Override
        public int available() throws IOException {
            return drained ? 0 : bytes == null ? message.getSerializedSize() : bytes.available();
        }

        @Override
        public int read() throws IOException {
            return bytes().read();
        }

        @Override
        public int read(byte[] target, int offset, int length) throws IOException {
            return bytes().read(target, offset, length);
        }

        private InputStream bytes() {
            if (bytes == null) {
                bytes = new ByteArrayInputStream(drained ? new byte[0] : message.toByteArray());
            }
            return bytes;
        }
    }
}
