package io.asyncbatch.flink.sidecar;

import static io.asyncbatch.flink.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.asyncbatch.flink.metrics.DocumentedMetrics;
import io.asyncbatch.flink.sidecar.SidecarException.Kind;
import io.asyncbatch.flink.sidecar.channel.AnswerHandler;
import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Requests over a connection that works. */
@Timeout(60)
class SidecarClientTest {

    private MockSidecar server;

    @BeforeEach
    void start() throws Exception {
        server = MockSidecar.onTcp();
    }

    @AfterEach
    void stop() throws Exception {
        server.close();
    }

    @Test
    void requestsAreAnswered() throws Exception {
        try (ClientRig rig = ClientRig.open(server.options())) {
            assertThat(rig.call(1L, 2L, 3L).get()).containsExactly(10L, 20L, 30L);
            assertThat(rig.counter("requestsSent")).isEqualTo(1);
            assertThat(rig.counter("bytesSent")).isEqualTo(24);
            assertThat(rig.counter("bytesReceived")).isEqualTo(24);
            await().until(() -> rig.gauge("requestsInFlight") == 0);
            assertThat(rig.counter("reconnects")).isZero();
        }
    }

    @Test
    void measuresWhatIsDocumented() throws Exception {
        try (ClientRig rig = ClientRig.open(server.options())) {
            assertThat(DocumentedMetrics.under("The sidecar's client", rig.metrics))
                    .containsExactlyInAnyOrderElementsOf(rig.metrics.keySet());
        }
    }

    /** A server can let clients take turns, which over a Unix socket it could not tell apart. */
    @Test
    void eachClientSaysWhichOneItIs() throws Exception {
        Metadata.Key<String> name =
                Metadata.Key.of("asyncbatch-client", Metadata.ASCII_STRING_MARSHALLER);
        Set<String> names = new HashSet<>();
        for (int client = 0; client < 2; client++) {
            server.headers.clear();
            try (ClientRig rig = ClientRig.open(server.options())) {
                rig.call(1L).get();
                rig.call(2L).get();
            }
            assertThat(server.headers)
                    .extracting(headers -> headers.get(name))
                    .doesNotContainNull();
            Set<String> ofOne =
                    server.headers.stream()
                            .map(headers -> headers.get(name))
                            .collect(Collectors.toSet());
            assertThat(ofOne).hasSize(1);
            names.addAll(ofOne);
        }
        assertThat(names).hasSize(2);
    }

    @Test
    void moreRequestsThanAllowedWaitInTheirOrder() throws Exception {
        server.hold();
        try (ClientRig rig = ClientRig.open(server.options().maxInFlight(2))) {
            List<ClientRig.Call> calls = new ArrayList<>();
            for (long value = 0; value < 10; value++) {
                calls.add(rig.call(value));
            }
            await().until(() -> server.openRequests() == 2);
            assertThat(rig.gauge("requestsInFlight")).isEqualTo(2);
            server.release();
            for (int value = 0; value < 10; value++) {
                assertThat(calls.get(value).get()).containsExactly(value * 10L);
            }
            assertThat(server.mostInFlight).hasValue(2);
            assertThat(server.inferences)
                    .extracting(inference -> Long.parseLong(inference.request.getId()))
                    .isSorted();
        }
    }

    @Test
    void aRequestHasADeadline() throws Exception {
        server.hold();
        try (ClientRig rig =
                ClientRig.open(server.options().requestTimeout(Duration.ofMillis(50)))) {
            assertThat(rig.call(1L).sidecarFailure().kind()).isEqualTo(Kind.DEADLINE_EXCEEDED);
            await().until(() -> server.openRequests() == 0);
            assertThat(server.inferences.get(0).wasCancelled).isTrue();
        }
    }

    @Test
    void theServerHearsOfACancellation() throws Exception {
        server.hold();
        try (ClientRig rig = ClientRig.open(server.options().maxInFlight(1))) {
            ClientRig.Call running = rig.call(1L);
            ClientRig.Call waiting = rig.call(2L);
            ClientRig.Call next = rig.call(3L);
            await().until(() -> server.openRequests() == 1);
            waiting.request.cancel();
            running.request.cancel();
            await().until(() -> server.cancelled.get() == 1);
            server.release();
            assertThat(next.get()).containsExactly(30L);
            assertThat(server.inferences).hasSize(2);
            assertThat(running.results).isNotDone();
            assertThat(waiting.results).isNotDone();
            await().until(() -> rig.gauge("requestsInFlight") == 0);
            next.request.cancel();
        }
    }

    @Test
    void aRequestThatIsTooLargeIsNotSent() throws Exception {
        try (ClientRig rig =
                new ClientRig(server.options().maxMessageBytes(1024).build(), new LongCodec(200))) {
            assertThat(rig.call(1L).sidecarFailure())
                    .isInstanceOf(SidecarException.InvalidTensor.class)
                    .hasMessageContaining("is larger than maxMessageBytes=1024");
            assertThat(server.inferences).isEmpty();
        }
    }

    @Test
    void anAnswerThatIsTooLargeIsNotReceived() throws Exception {
        server.behaviour =
                inference -> inference.send(inference.empty().setId("x".repeat(2_000)).build());
        try (ClientRig rig = ClientRig.open(server.options().maxMessageBytes(1024))) {
            assertThat(rig.call(1L).sidecarFailure())
                    .isInstanceOf(SidecarException.InvalidTensor.class)
                    .hasMessageContaining("1024");
            server.release();
            assertThat(rig.call(2L).get()).containsExactly(20L);
        }
    }

    /** A server that packs where it may does not here, where that would be 2 KiB for 2 MiB. */
    @Test
    void noPackedAnswerIsAccepted() throws Exception {
        ByteString zeros = ByteString.copyFrom(new byte[2 * 1024 * 1024]);
        server.behaviour =
                inference ->
                        inference.sendPacked(
                                inference.answer().toBuilder()
                                        .setRawOutputContents(0, zeros)
                                        .build());
        try (ClientRig rig = ClientRig.open(server.options().maxMessageBytes(1024 * 1024))) {
            SidecarException failure = rig.call(1L).sidecarFailure();
            assertThat(failure).hasMessageContaining("1048576");
            assertThat(failure.isRetryable()).isFalse();
            assertThat(server.headers.get(0).keys()).doesNotContain("grpc-accept-encoding");
            server.release();
            assertThat(rig.call(2L).get()).containsExactly(20L);
        }
    }

    @Test
    void headersThatAreTooLargeEndTheRequest() throws Exception {
        Metadata many = new Metadata();
        Metadata.Key<String> key = Metadata.Key.of("x", Metadata.ASCII_STRING_MARSHALLER);
        many.put(key, "y".repeat(1024 * 1024));
        server.behaviour = inference -> inference.fail(Status.UNKNOWN, many);
        try (ClientRig rig = ClientRig.open(server.options())) {
            assertThat(rig.call(1L).sidecarFailure().getMessage()).hasSizeLessThan(2_000);
            server.release();
            assertThat(rig.call(2L).get()).containsExactly(20L);
        }
    }

    @Test
    void whatTheHandlerThrowsIsTheFailure() throws Exception {
        try (ClientRig rig = ClientRig.open(server.options())) {
            CompletableFuture<Throwable> failure = new CompletableFuture<>();
            rig.client
                    .request(
                            new LongCodec().encode(List.of(1L)),
                            List.of(),
                            new AnswerHandler() {
                                @Override
                                public void onOutputs(List<Tensor> outputs) {
                                    throw new IllegalArgumentException("no");
                                }

                                @Override
                                public void onFailure(Throwable thrown) {
                                    failure.complete(thrown);
                                }
                            })
                    .submit();
            assertThat(failure.get(30, TimeUnit.SECONDS)).hasMessage("no");
            assertThat(rig.call(2L).get()).containsExactly(20L);
        }
    }

    @Test
    void nothingIsReportedOnceItIsClosed() throws Exception {
        server.hold();
        ClientRig rig = ClientRig.open(server.options().maxInFlight(1));
        ClientRig.Call running = rig.call(1L);
        ClientRig.Call waiting = rig.call(2L);
        await().until(() -> server.openRequests() == 1);
        rig.close();
        await().until(() -> server.cancelled.get() == 1);
        assertThat(running.results).isNotDone();
        assertThat(waiting.results).isNotDone();
        assertThat(server.inferences).hasSize(1);
        rig.close();
    }

    @Test
    void drainingWaitsForWhatIsInFlightAndNoLonger() throws Exception {
        server.hold();
        try (ClientRig rig = ClientRig.open(server.options().maxInFlight(1))) {
            rig.call(1L);
            rig.call(2L);
            await().until(() -> server.openRequests() == 1);
            assertThat(rig.client.awaitIdle(Duration.ofMillis(1))).isEqualTo(2);
            CompletableFuture<Integer> idle = new CompletableFuture<>();
            Thread waiter =
                    new Thread(
                            () -> {
                                try {
                                    idle.complete(rig.client.awaitIdle(Duration.ofMinutes(1)));
                                } catch (InterruptedException e) {
                                    idle.completeExceptionally(e);
                                }
                            });
            waiter.start();
            await().until(() -> waiter.getState() == Thread.State.TIMED_WAITING);
            server.release();
            assertThat(idle.get(30, TimeUnit.SECONDS)).isZero();
        }
    }
}
