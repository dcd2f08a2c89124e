package io.asyncbatch.flink.worker.channel;

import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.TimeoutException;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Waits for the one connection of the one worker that knows a token. Used by the thread that opens
 * the worker.
 *
 * <p>Listens on a Unix domain socket in a directory that only this user can enter, or, where such
 * sockets are missing, on the loopback address. A connection that does not begin with the token is
 * closed and waiting goes on, so a stranger can neither get in nor keep the worker out. Everything
 * is removed as soon as the worker is connected.
 */
@Internal
public final class ConnectionListener implements AutoCloseable {

    /** Checked between waits, so that waiting ends when the worker has died. */
    @FunctionalInterface
    public interface Liveness {
        /** Throws if the worker will never connect. */
        void check() throws IOException;
    }

    private static final Logger LOG = LoggerFactory.getLogger(ConnectionListener.class);

    /** {@code sun_path} of {@code sockaddr_un} holds 108 bytes on Linux, the last of them zero. */
    static final int MAX_SOCKET_PATH_BYTES = 107;

    private static final String SOCKET_NAME = "batches";
    private static final long LIVENESS_CHECK_MILLIS = 100;
    private static final int MAX_HELLO_BYTES = 1024;
    private static final int BACKLOG = 16;

    private final ServerSocketChannel server;
    @Nullable private final Path directory;
    private final byte[] token;

    private ConnectionListener(ServerSocketChannel server, @Nullable Path directory, byte[] token) {
        this.server = server;
        this.directory = directory;
        this.token = token.clone();
    }

    /**
     * Starts to listen.
     *
     * @param directories where the socket's private directory may be made; the first one in which
     *     the socket's path is short enough is taken
     * @param token what the worker has to send first
     */
    public static ConnectionListener listen(List<Path> directories, byte[] token)
            throws IOException {
        for (Path parent : directories) {
            Optional<ConnectionListener> listener = listenUnder(parent, token);
            if (listener.isPresent()) {
                return listener.get();
            }
        }
        LOG.info("No Unix domain socket can be made under {}; batches use loopback", directories);
        return listenOnLoopback(token);
    }

    static ConnectionListener listenOnLoopback(byte[] token) throws IOException {
        ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.INET);
        try {
            InetAddress loopback = InetAddress.getByAddress(new byte[] {127, 0, 0, 1});
            server.bind(new InetSocketAddress(loopback, 0), BACKLOG);
            return new ConnectionListener(server, null, token);
        } catch (IOException e) {
            server.close();
            throw e;
        }
    }

    private static Optional<ConnectionListener> listenUnder(Path parent, byte[] token)
            throws IOException {
        Path directory;
        try {
            directory =
                    Files.createTempDirectory(
                            parent,
                            "async-batch-",
                            PosixFilePermissions.asFileAttribute(
                                    EnumSet.of(
                                            PosixFilePermission.OWNER_READ,
                                            PosixFilePermission.OWNER_WRITE,
                                            PosixFilePermission.OWNER_EXECUTE)));
        } catch (IOException | UnsupportedOperationException e) {
            LOG.debug("No private directory can be made under {}", parent, e);
            return Optional.empty();
        }
        Path socket = directory.resolve(SOCKET_NAME).toAbsolutePath();
        if (socket.toString().getBytes(StandardCharsets.UTF_8).length > MAX_SOCKET_PATH_BYTES) {
            Files.delete(directory);
            return Optional.empty();
        }
        try {
            ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
            try {
                server.bind(UnixDomainSocketAddress.of(socket), BACKLOG);
                return Optional.of(new ConnectionListener(server, directory, token));
            } catch (IOException e) {
                server.close();
                throw e;
            }
        } catch (IOException | UnsupportedOperationException e) {
            LOG.debug("No Unix domain socket can be made in {}", directory, e);
            Files.deleteIfExists(socket);
            Files.deleteIfExists(directory);
            return Optional.empty();
        }
    }

    /** The socket's path, unless this listens on loopback. */
    public Optional<Path> socketPath() {
        return Optional.ofNullable(directory).map(dir -> dir.resolve(SOCKET_NAME).toAbsolutePath());
    }

    /** The loopback port, unless this listens on a Unix domain socket. */
    public OptionalInt loopbackPort() throws IOException {
        return directory == null
                ? OptionalInt.of(((InetSocketAddress) server.getLocalAddress()).getPort())
                : OptionalInt.empty();
    }

    /**
     * Waits for the worker's connection and stops listening.
     *
     * @return a connected socket from which the HELLO frame has been read
     * @throws TimeoutException if the worker has not connected in time
     * @throws IOException if {@code liveness} says that it never will
     */
    public SocketChannel accept(long timeoutMillis, Liveness liveness)
            throws IOException, TimeoutException, InterruptedException {
        long deadline = System.nanoTime() + timeoutMillis * 1_000_000;
        try (Selector selector = Selector.open()) {
            server.configureBlocking(false);
            server.register(selector, SelectionKey.OP_ACCEPT);
            try {
                while (true) {
                    selector.select(LIVENESS_CHECK_MILLIS);
                    if (Thread.interrupted()) {
                        throw new InterruptedException();
                    }
                    Optional<SocketChannel> worker = serve(selector);
                    if (worker.isPresent()) {
                        worker.get().keyFor(selector).cancel();
                        return worker.get();
                    }
                    liveness.check();
                    if (System.nanoTime() - deadline >= 0) {
                        throw new TimeoutException(
                                "no worker connected within " + timeoutMillis + " ms");
                    }
                }
            } finally {
                closeUnauthenticated(selector);
            }
        } finally {
            close();
        }
    }

    private Optional<SocketChannel> serve(Selector selector) throws IOException {
        for (SelectionKey key : List.copyOf(selector.selectedKeys())) {
            selector.selectedKeys().remove(key);
            if (key.isAcceptable()) {
                acceptConnection(selector);
            } else if (key.isReadable() && readHello(key)) {
                return Optional.of((SocketChannel) key.channel());
            }
        }
        return Optional.empty();
    }

    private void acceptConnection(Selector selector) throws IOException {
        SocketChannel connection = server.accept();
        if (connection != null) {
            connection.configureBlocking(false);
            connection.register(
                    selector, SelectionKey.OP_READ, ByteBuffer.allocate(FrameCodec.PREFIX_BYTES));
        }
    }

    /**
     * Reads no further than the end of the first frame, as what follows belongs to the channel.
     *
     * @return whether the connection has proved to be the worker's
     */
    private boolean readHello(SelectionKey key) {
        SocketChannel connection = (SocketChannel) key.channel();
        ByteBuffer buffer = (ByteBuffer) key.attachment();
        try {
            if (connection.read(buffer) < 0) {
                return refuse(key, "it closed before its token came");
            }
            if (buffer.hasRemaining()) {
                return false;
            }
            buffer.flip();
            int headerBytes = FrameCodec.headerBytes(buffer);
            if (headerBytes <= 0
                    || headerBytes > MAX_HELLO_BYTES
                    || FrameCodec.bodyBytes(buffer) != 0) {
                return refuse(key, "it did not begin with a HELLO frame");
            }
            int frameBytes = FrameCodec.PREFIX_BYTES + headerBytes;
            if (buffer.limit() < frameBytes) {
                key.attach(ByteBuffer.allocate(frameBytes).put(buffer));
                return false;
            }
            FrameHeader header =
                    FrameHeader.parseFrom(buffer.slice(FrameCodec.PREFIX_BYTES, headerBytes));
            boolean known =
                    header.getKind() == FrameKind.HELLO
                            && MessageDigest.isEqual(header.getToken().toByteArray(), token);
            return known || refuse(key, "its token is wrong");
        } catch (IOException e) {
            return refuse(key, "reading its token failed");
        }
    }

    private static boolean refuse(SelectionKey key, String reason) {
        LOG.warn("Refused a connection to a batch channel: {}", reason);
        closeQuietly(key);
        return false;
    }

    private static void closeUnauthenticated(Selector selector) {
        selector.keys().stream()
                .filter(key -> key.isValid() && key.channel() instanceof SocketChannel)
                .forEach(ConnectionListener::closeQuietly);
    }

    private static void closeQuietly(SelectionKey key) {
        try {
            key.channel().close();
        } catch (IOException e) {
            LOG.debug("Closing a refused connection failed", e);
        }
    }

    /** Stops listening and removes the socket. Idempotent. */
    @Override
    public void close() throws IOException {
        server.close();
        if (directory != null) {
            Files.deleteIfExists(directory.resolve(SOCKET_NAME));
            Files.deleteIfExists(directory);
        }
    }
}
