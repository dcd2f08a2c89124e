package io.asyncbatch.flink.sidecar;

import static io.asyncbatch.flink.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.grpc.Status;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Servers that take their time to start, and those that never will. */
@Timeout(120)
class ReadinessTest {

    @TempDir Path directory;

    private static CompletableFuture<ClientRig> opening(SidecarOptions.Builder options) {
        return CompletableFuture.supplyAsync(
                () -> {
                    try {
                        return ClientRig.open(options);
                    } catch (Exception e) {
                        throw new java.util.concurrent.CompletionException(e);
                    }
                });
    }

    @Test
    void waitsForServerAndModelToWarmUp() throws Exception {
        try (MockSidecar server = MockSidecar.onUnixSocket(directory.resolve("s"))) {
            server.serverReady = false;
            server.modelReady = false;
            CompletableFuture<ClientRig> opening = opening(server.options());
            await().until(() -> server.asked("ServerReady") > 1);
            assertThat(server.asked("ModelReady")).isZero();
            server.serverReady = true;
            await().until(() -> server.asked("ModelReady") > 1);
            assertThat(opening).isNotDone();
            server.modelReady = true;
            try (ClientRig rig = opening.get(60, TimeUnit.SECONDS)) {
                assertThat(rig.call(1L).get()).containsExactly(10L);
            }
        }
    }

    @Test
    void waitsForAServerThatIsNotThereYet() throws Exception {
        Path socket = directory.resolve("s");
        CompletableFuture<ClientRig> opening =
                opening(SidecarOptions.builder("unix://" + socket, MockSidecar.MODEL));
        await().until(
                        () ->
                                Thread.getAllStackTraces().keySet().stream()
                                        .anyMatch(t -> t.getName().equals("sidecar-client")));
        assertThat(opening).isNotDone();
        try (MockSidecar server = MockSidecar.onUnixSocket(socket);
                ClientRig rig = opening.get(60, TimeUnit.SECONDS)) {
            assertThat(rig.call(1L).get()).containsExactly(10L);
            assertThat(server.connections).hasValue(1);
        }
    }

    @Test
    void asksForTheVersion() throws Exception {
        try (MockSidecar server = MockSidecar.onUnixSocket(directory.resolve("s"))) {
            ClientRig.open(server.options().modelVersion("4")).close();
            assertThat(server.versionsAskedFor).containsExactly("4");
        }
    }

    @Test
    void givesUpAfterTheReadyTimeout() throws Exception {
        try (MockSidecar server = MockSidecar.onUnixSocket(directory.resolve("s"))) {
            server.modelReady = false;
            assertThatThrownBy(
                            () ->
                                    ClientRig.open(
                                            server.options().readyTimeout(Duration.ofMillis(200))))
                    .isInstanceOf(SidecarException.Unavailable.class)
                    .hasMessageContaining(
                            "the model was not ready within readyTimeout=PT0.2S; at last it said"
                                    + " that it was not");
            assertThatThrownBy(
                            () ->
                                    ClientRig.open(
                                            SidecarOptions.builder(
                                                            "unix://" + directory.resolve("none"),
                                                            "m")
                                                    .readyTimeout(Duration.ofMillis(200))))
                    .isInstanceOf(SidecarException.Unavailable.class)
                    .hasMessageContaining("the server was not ready");
        }
    }

    @Test
    void doesNotWaitForWhatNeverWillBe() throws Exception {
        try (MockSidecar server = MockSidecar.onUnixSocket(directory.resolve("s"))) {
            server.modelReadyFailure = Status.NOT_FOUND;
            assertThatThrownBy(() -> ClientRig.open(server.options()))
                    .isInstanceOf(SidecarException.ModelNotFound.class);
            server.modelReadyFailure = Status.UNAUTHENTICATED;
            assertThatThrownBy(() -> ClientRig.open(server.options()))
                    .isInstanceOf(SidecarException.AccessDenied.class);
        }
    }

    @Test
    void waitingCanBeInterrupted() throws Exception {
        CompletableFuture<Throwable> outcome = new CompletableFuture<>();
        Thread task =
                new Thread(
                        () -> {
                            try {
                                ClientRig.open(
                                        SidecarOptions.builder(
                                                "unix://" + directory.resolve("none"), "m"));
                                outcome.complete(null);
                            } catch (Exception e) {
                                outcome.complete(e);
                            }
                        });
        task.start();
        await().until(
                        () ->
                                task.getState() == Thread.State.TIMED_WAITING
                                        || task.getState() == Thread.State.WAITING);
        task.interrupt();
        assertThat(outcome.get(60, TimeUnit.SECONDS)).isInstanceOf(InterruptedException.class);
    }
}
