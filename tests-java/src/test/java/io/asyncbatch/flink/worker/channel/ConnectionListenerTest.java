package io.asyncbatch.flink.worker.channel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.google.protobuf.ByteString;
import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import java.io.File;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class ConnectionListenerTest {

    private static final byte[] TOKEN = {1, 2, 3, 4};
    private static final byte[] WRONG_TOKEN = {1, 2, 3, 5};
    private static final ConnectionListener.Liveness ALIVE = () -> {};

    private static final int NOBODY = 65_534;

    @TempDir Path temporary;

    @Test
    void acceptsTheWorkerThatKnowsTheToken() throws Exception {
        try (ConnectionListener listener = ConnectionListener.listen(List.of(temporary), TOKEN);
                SocketChannel worker = connect(listener)) {
            CompletableFuture<SocketChannel> accepted = accept(listener, 30_000, ALIVE);
            worker.write(hello(TOKEN));
            try (SocketChannel socket = accepted.get()) {
                assertThat(socket.isConnected()).isTrue();
            }
        }
    }

    @Test
    void leavesWhatFollowsTheHelloToTheChannel() throws Exception {
        try (ConnectionListener listener = ConnectionListener.listen(List.of(temporary), TOKEN);
                SocketChannel worker = connect(listener)) {
            worker.write(
                    new ByteBuffer[] {hello(TOKEN), ByteBuffer.wrap("what follows".getBytes())});
            try (SocketChannel socket = accept(listener, 30_000, ALIVE).get()) {
                ByteBuffer rest = ByteBuffer.allocate("what follows".length());
                socket.configureBlocking(true);
                while (rest.hasRemaining()) {
                    assertThat(socket.read(rest)).isPositive();
                }
                assertThat(new String(rest.array())).isEqualTo("what follows");
            }
        }
    }

    @Test
    void refusesStrangersAndGoesOnWaitingForTheWorker() throws Exception {
        try (ConnectionListener listener = ConnectionListener.listen(List.of(temporary), TOKEN);
                SocketChannel silent = connect(listener);
                SocketChannel guessing = connect(listener);
                SocketChannel talkative = connect(listener);
                SocketChannel worker = connect(listener)) {
            CompletableFuture<SocketChannel> accepted = accept(listener, 30_000, ALIVE);
            guessing.write(hello(WRONG_TOKEN));
            talkative.write(ByteBuffer.wrap("GET / HTTP/1.1\r\n\r\n".getBytes()));
            worker.write(hello(TOKEN));
            try (SocketChannel socket = accepted.get()) {
                assertThat(socket.isConnected()).isTrue();
                for (SocketChannel stranger : List.of(silent, guessing, talkative)) {
                    assertThat(readsNothing(stranger)).isTrue();
                }
            }
        }
    }

    @Test
    void refusesATokenThatIsOnlyThePrefixOfTheRealOne() throws Exception {
        try (ConnectionListener listener = ConnectionListener.listen(List.of(temporary), TOKEN);
                SocketChannel stranger = connect(listener)) {
            stranger.write(hello(new byte[] {1, 2, 3}));
            assertThatThrownBy(() -> listener.accept(300, ALIVE))
                    .isInstanceOf(TimeoutException.class);
            assertThat(readsNothing(stranger)).isTrue();
        }
    }

    @Test
    void onlyThisUserCanEnterTheSocketsDirectory() throws Exception {
        try (ConnectionListener listener = ConnectionListener.listen(List.of(temporary), TOKEN)) {
            Path directory = listener.socketPath().orElseThrow().getParent();
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(directory)))
                    .isEqualTo("rwx------");
        }
    }

    @Test
    void anotherUserCannotConnect() throws Exception {
        assumeThat(canBeNobody()).as("only root with setpriv and perl becomes one").isTrue();
        Files.setPosixFilePermissions(temporary, PosixFilePermissions.fromString("rwxr-xr-x"));
        try (ConnectionListener listener = ConnectionListener.listen(List.of(temporary), TOKEN)) {
            String socket = listener.socketPath().orElseThrow().toString();
            assertThat(connectsAs(0, socket)).isEqualTo("connected");
            assertThat(connectsAs(NOBODY, socket)).isEqualTo("Permission denied");
        }
    }

    private static boolean canBeNobody() throws Exception {
        try {
            return asUser(NOBODY, "1").start().waitFor() == 0;
        } catch (IOException noSuchProgram) {
            return false;
        }
    }

    /** What becomes of a process of that user that connects. */
    private static String connectsAs(int user, String socket) throws Exception {
        String connect =
                "socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die; "
                        + "print connect($s, sockaddr_un($ARGV[0])) ? 'connected' : $!";
        Process process = asUser(user, connect, socket).redirectErrorStream(true).start();
        return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }

    /** A program in Perl, and its arguments. */
    private static ProcessBuilder asUser(int user, String... program) {
        List<String> command =
                new ArrayList<>(
                        List.of(
                                "setpriv",
                                "--reuid=" + user,
                                "--regid=" + user,
                                "--clear-groups",
                                "perl",
                                "-MSocket",
                                "-e"));
        command.addAll(List.of(program));
        return new ProcessBuilder(command).directory(new File("/"));
    }

    @Test
    void leavesNoFileBehindOnceConnectedOrClosed() throws Exception {
        ConnectionListener connected = ConnectionListener.listen(List.of(temporary), TOKEN);
        try (SocketChannel worker = connect(connected)) {
            worker.write(hello(TOKEN));
            connected.accept(30_000, ALIVE).close();
        }
        ConnectionListener.listen(List.of(temporary), TOKEN).close();
        assertThat(temporary).isEmptyDirectory();
    }

    @Test
    void takesTheFirstDirectoryWhoseSocketPathIsShortEnough() throws Exception {
        Path tooLong =
                Files.createDirectories(
                        temporary.resolve("d".repeat(ConnectionListener.MAX_SOCKET_PATH_BYTES)));
        try (ConnectionListener listener =
                ConnectionListener.listen(List.of(tooLong, temporary), TOKEN)) {
            assertThat(listener.socketPath().orElseThrow().getParent()).hasParent(temporary);
        }
        assertThat(tooLong).isEmptyDirectory();
    }

    @Test
    void fallsBackToLoopbackWithTheSameToken() throws Exception {
        Path missing = temporary.resolve("missing");
        try (ConnectionListener listener = ConnectionListener.listen(List.of(missing), TOKEN)) {
            assertThat(listener.socketPath()).isEmpty();
            assertThat(listener.loopbackPort()).isPresent();
            try (SocketChannel stranger = connect(listener);
                    SocketChannel worker = connect(listener)) {
                stranger.write(hello(WRONG_TOKEN));
                CompletableFuture<SocketChannel> accepted = accept(listener, 30_000, ALIVE);
                worker.write(hello(TOKEN));
                try (SocketChannel socket = accepted.get()) {
                    assertThat(((InetSocketAddress) socket.getLocalAddress()).getAddress())
                            .matches(address -> address.isLoopbackAddress());
                }
            }
        }
    }

    @Test
    void stopsWaitingWhenTheWorkerHasDied() throws Exception {
        try (ConnectionListener listener = ConnectionListener.listen(List.of(temporary), TOKEN)) {
            assertThatThrownBy(
                            () ->
                                    listener.accept(
                                            30_000,
                                            () -> {
                                                throw new IOException("the worker is dead");
                                            }))
                    .hasMessage("the worker is dead");
        }
        assertThat(temporary).isEmptyDirectory();
    }

    private SocketChannel connect(ConnectionListener listener) throws IOException {
        SocketAddress address =
                listener.socketPath().isPresent()
                        ? UnixDomainSocketAddress.of(listener.socketPath().get())
                        : new InetSocketAddress("127.0.0.1", listener.loopbackPort().getAsInt());
        return SocketChannel.open(address);
    }

    private static boolean readsNothing(SocketChannel connection) {
        try {
            return connection.read(ByteBuffer.allocate(1)) < 0;
        } catch (IOException reset) {
            return true;
        }
    }

    private static ByteBuffer hello(byte[] token) {
        return FrameCodec.encodeHead(
                FrameHeader.newBuilder()
                        .setKind(FrameKind.HELLO)
                        .setToken(ByteString.copyFrom(token))
                        .build(),
                0);
    }

    private static CompletableFuture<SocketChannel> accept(
            ConnectionListener listener, long timeoutMillis, ConnectionListener.Liveness liveness) {
        Callable<SocketChannel> call = () -> listener.accept(timeoutMillis, liveness);
        return CompletableFuture.supplyAsync(
                () -> {
                    try {
                        return call.call();
                    } catch (Exception e) {
                        throw new IllegalStateException(e);
                    }
                });
    }
}
