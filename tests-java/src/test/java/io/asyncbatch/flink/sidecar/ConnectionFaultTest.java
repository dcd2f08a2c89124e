package io.asyncbatch.flink.sidecar;

import static io.asyncbatch.flink.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.sidecar.FaultyProxy.Ending;
import io.asyncbatch.flink.sidecar.SidecarException.Kind;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HexFormat;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Connections that break, and servers that go away. */
@Timeout(120)
class ConnectionFaultTest {

    @TempDir Path directory;

    private MockSidecar server;
    private FaultyProxy proxy;

    @BeforeEach
    void start() throws Exception {
        server = MockSidecar.onTcp();
        proxy = new FaultyProxy(server.port());
    }

    @AfterEach
    void stop() throws Exception {
        proxy.close();
        server.close();
    }

    private ClientRig open(Duration timeout) throws Exception {
        return ClientRig.open(
                SidecarOptions.builder(proxy.endpoint(), MockSidecar.MODEL)
                        .requestTimeout(timeout));
    }

    /** Half open, or an answer that comes to a stop in the middle. */
    @ParameterizedTest
    @ValueSource(longs = {0, 1, 9, 40})
    void silenceEndsAtTheDeadline(long bytes) throws Exception {
        try (ClientRig rig = open(Duration.ofMillis(200))) {
            proxy.allow(bytes, Ending.SILENCE);
            assertThat(rig.call(1L).sidecarFailure().kind()).isEqualTo(Kind.DEADLINE_EXCEEDED);
            proxy.heal();
            awaitAnswer(rig);
        }
    }

    @ParameterizedTest
    @CsvSource({"0, CLOSE", "1, CLOSE", "40, CLOSE", "0, RESET", "1, RESET", "40, RESET"})
    void aConnectionThatBreaksIsMadeAgain(long bytes, Ending ending) throws Exception {
        try (ClientRig rig = open(Duration.ofSeconds(60))) {
            proxy.allow(bytes, ending);
            SidecarException failure = rig.call(1L).sidecarFailure();
            assertThat(failure.kind()).isEqualTo(Kind.UNAVAILABLE);
            assertThat(failure.isRetryable()).isTrue();
            proxy.heal();
            awaitAnswer(rig);
            await().until(() -> rig.counter("reconnects") > 0);
        }
    }

    @Test
    void anAnswerMayComeByteByByte() throws Exception {
        proxy.inPiecesOf(1);
        try (ClientRig rig = open(Duration.ofSeconds(60))) {
            assertThat(rig.call(1L, 2L).get()).containsExactly(10L, 20L);
        }
    }

    /** Until the client has noticed that the old connection is gone, requests may still fail. */
    private static void awaitAnswer(ClientRig rig) {
        await().ignoreExceptions().until(() -> rig.call(4L).get().equals(java.util.List.of(40L)));
    }

    @Test
    void requestsWaitForAServerThatIsRestarted() throws Exception {
        Path socket = directory.resolve("s");
        MockSidecar first = MockSidecar.onUnixSocket(socket);
        try (ClientRig rig = ClientRig.open(first.options())) {
            assertThat(rig.call(1L).get()).containsExactly(10L);
            first.hold();
            ClientRig.Call lost = rig.call(2L);
            await().until(() -> first.openRequests() == 1);
            first.close();
            assertThat(lost.sidecarFailure().kind()).isEqualTo(Kind.UNAVAILABLE);
            ClientRig.Call waiting = rig.call(3L);
            try (MockSidecar second = MockSidecar.onUnixSocket(socket)) {
                assertThat(waiting.get()).containsExactly(30L);
                assertThat(second.connections).hasValue(1);
            }
        }
    }

    @Test
    void withoutAnyConnectionARequestIsUnavailable() throws Exception {
        Path socket = directory.resolve("s");
        MockSidecar gone = MockSidecar.onUnixSocket(socket);
        try (ClientRig rig =
                ClientRig.open(gone.options().requestTimeout(Duration.ofMillis(300)))) {
            gone.close();
            await().until(
                            () -> {
                                SidecarException failure = rig.call(1L).sidecarFailure();
                                assertThat(failure.kind()).isEqualTo(Kind.UNAVAILABLE);
                                return failure.getMessage().contains("no connection");
                            });
        }
    }

    /** What is in flight is answered on the old connection, what comes later on a new one. */
    @Test
    void aServerThatSaysGoodbyeFinishes() throws Exception {
        Path socket = directory.resolve("s");
        try (MockSidecar first = MockSidecar.onUnixSocket(socket)) {
            try (ClientRig rig = ClientRig.open(first.options())) {
                first.hold();
                ClientRig.Call last = rig.call(1L);
                await().until(() -> first.openRequests() == 1);
                first.goAway();
                try (MockSidecar second = MockSidecar.onUnixSocket(socket)) {
                    await().ignoreExceptions()
                            .until(() -> rig.call(4L).get().equals(java.util.List.of(40L)));
                    first.release();
                    assertThat(last.get()).containsExactly(10L);
                    assertThat(second.inferences).isNotEmpty();
                }
            }
        }
    }

    /** No HTTP/2, a frame that is too large, and a message length without end. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "485454502f312e31203430302042616420526571756573740d0a0d0a",
                "000000040000000000ffffff000000000001",
                ""
            })
    void whatIsNoServerOfTheProtocolIsUnavailable(String hex) throws Exception {
        try (ServerSocket listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            Thread answers =
                    new Thread(
                            () -> {
                                while (true) {
                                    try (Socket client = listener.accept()) {
                                        OutputStream output = client.getOutputStream();
                                        output.write(HexFormat.of().parseHex(hex));
                                        client.getInputStream().read(new byte[1 << 16]);
                                    } catch (java.io.IOException closed) {
                                        return;
                                    }
                                }
                            });
            answers.setDaemon(true);
            answers.start();
            assertThatThrownBy(
                            () ->
                                    ClientRig.open(
                                            SidecarOptions.builder(
                                                            "127.0.0.1:" + listener.getLocalPort(),
                                                            "m")
                                                    .readyTimeout(Duration.ofMillis(700))))
                    .isInstanceOf(SidecarException.class)
                    .hasMessageContaining("model 'm' at 127.0.0.1");
        }
    }
}
