package io.asyncbatch.flink.worker.channel;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.proto.FrameHeader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;

/** The worker's end of a batch channel, in the hands of a test. Blocking. */
public final class ChannelPeer implements AutoCloseable {

    /** A frame that the operator sent. */
    public record Frame(FrameHeader header, byte[] body) {}

    private final SocketChannel socket;
    private final SocketChannel operatorEnd;

    private ChannelPeer(SocketChannel socket, SocketChannel operatorEnd) {
        this.socket = socket;
        this.operatorEnd = operatorEnd;
    }

    public static ChannelPeer connect(Path directory) throws IOException {
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of(directory.resolve("s"));
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(address);
            return new ChannelPeer(SocketChannel.open(address), server.accept());
        }
    }

    /** The other end, for the channel under test, which closes it. */
    public SocketChannel operatorEnd() {
        return operatorEnd;
    }

    public Frame read() throws IOException {
        ByteBuffer prefix = readFully(FrameCodec.PREFIX_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        FrameHeader header = FrameHeader.parseFrom(readFully(prefix.getInt(0)));
        return new Frame(header, readFully((int) prefix.getLong(4)).array());
    }

    private ByteBuffer readFully(int count) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(count);
        while (buffer.hasRemaining()) {
            assertThat(socket.read(buffer)).isNotNegative();
        }
        return buffer.flip();
    }

    public void write(FrameHeader header, byte[] body) throws IOException {
        write(FrameCodec.encodeHead(header, body.length), ByteBuffer.wrap(body));
    }

    public void write(ByteBuffer... buffers) throws IOException {
        for (ByteBuffer buffer : buffers) {
            while (buffer.hasRemaining()) {
                socket.write(buffer);
            }
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
