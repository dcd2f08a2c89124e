package io.asyncbatch.flink.sidecar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.function.Consumer;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is refused while the job graph is built, and what is not said when it is. */
class SidecarOptionsTest {

    private static final String SOCKET = "unix:///run/model.sock";

    @ParameterizedTest
    @ValueSource(
            strings = {
                "unix:///run/model.sock",
                "localhost:8001",
                "triton.models.svc:8001",
                "10.0.0.7:1",
                "[::1]:65535"
            })
    void endpointsAreShownAsTheyWereWritten(String endpoint) {
        assertThat(SidecarOptions.builder(endpoint, "m").build().endpoint()).hasToString(endpoint);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "host",
                ":8001",
                "host:",
                "host:port",
                "host:0",
                "host:65536",
                "ho st:80",
                "host:80/path",
                "host:80?x=1",
                "unix://relative",
                "unix:relative",
                "unix:///",
                "file:///etc/passwd",
                "http://host:80",
                "https://host:443",
                "grpc://host:80",
                "dns:///host:80",
                "[::1:80",
                "[zz::]:80",
                "256.1.1.1:80",
                "1.2.3:80"
            })
    void whatIsNoEndpointIsRefused(String endpoint) {
        assertThatThrownBy(() -> SidecarOptions.builder(endpoint, "m"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("endpoint");
    }

    /** In every spelling that the C library's resolver understands. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "169.254.169.254:80",
                "169.254.169.254.:80",
                "2852039166:80",
                "0xA9FEA9FE:80",
                "0251.0376.0251.0376:80",
                "[::ffff:169.254.169.254]:80",
                "[fd00:ec2::254]:80",
                "metadata.google.internal:80"
            })
    void theMetadataServiceOfACloudIsNoModelServer(String endpoint) {
        assertThatThrownBy(() -> SidecarOptions.builder(endpoint, "m"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("endpoint must be");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "user:hunter2@host:80",
                "hunter2@host:80",
                "https://user:hunter2@host/",
                "https://host/?token=hunter2",
                "unix:///a@b/hunter2"
            })
    void aCredentialIsNotRepeated(String endpoint) {
        assertThatThrownBy(() -> SidecarOptions.builder(endpoint, "m"))
                .isInstanceOf(IllegalArgumentException.class)
                .message()
                .doesNotContain("hunter2");
    }

    @Test
    void thePathOfASocketHasRoomForOneHundredAndSevenBytes() {
        String path = "/" + "ä".repeat(53);
        assertThat(SidecarOptions.builder("unix://" + path, "m").build().endpoint().path())
                .isEqualTo(path);
        assertThatThrownBy(() -> SidecarOptions.builder("unix://" + path + "x", "m"))
                .hasMessageContaining("at most 107 bytes, the endpoint's has 108");
    }

    @ParameterizedTest
    @CsvSource({
        "localhost:1, false",
        "127.0.0.9:1, false",
        "[::1]:1, false",
        "unix:///s, false",
        "10.0.0.1:1, true",
        "localhost.evil.com:1, true"
    })
    void otherMachinesAreSpokenToInTls(String endpoint, boolean tls) {
        assertThat(SidecarOptions.builder(endpoint, "m").build().usesTls()).isEqualTo(tls);
    }

    @Test
    void plaintextHasToBeAskedFor() {
        assertThat(SidecarOptions.builder("host:1", "m").plaintext().build().usesTls()).isFalse();
        assertThat(SidecarOptions.builder("localhost:1", "m").tls().build().usesTls()).isTrue();
    }

    @Test
    void contradictionsAreRefused() {
        refused(SOCKET, SidecarOptions.Builder::tls, "TLS is for TCP");
        refused(SOCKET, SidecarOptions.Builder::plaintext, "plaintext is for TCP");
        refused(SOCKET, b -> b.tokenFromEnvironment("T"), "a token is for TCP");
        refused("h:1", b -> b.maxSharedMemoryBytes(4096), "maxSharedMemoryBytes is for Unix");
        refused("h:1", b -> b.sharedMemoryThreshold(1), "sharedMemoryThreshold is for Unix");
        refused("h:1", b -> b.tls().plaintext(), "exclude each other");
        refused("h:1", b -> b.tokenFromFile("/t").tokenFromEnvironment("T"), "exclude each other");
        refused("h:1", b -> b.plaintext().tokenFromFile("/t"), "cannot go to h:1 in plaintext");
    }

    private static void refused(
            String endpoint, Consumer<SidecarOptions.Builder> options, String message) {
        var builder = SidecarOptions.builder(endpoint, "m");
        options.accept(builder);
        assertThatThrownBy(builder::build)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(message);
    }

    @Test
    void valuesOutOfRangeAreRefusedByName() {
        var builder = SidecarOptions.builder(SOCKET, "m");
        assertThatThrownBy(() -> SidecarOptions.builder(SOCKET, " "))
                .hasMessageContaining("modelName");
        assertThatThrownBy(() -> builder.modelVersion("")).hasMessageContaining("modelVersion");
        assertThatThrownBy(() -> builder.requestTimeout(Duration.ZERO))
                .hasMessage("requestTimeout must be PT0.001S to PT24H, got PT0S");
        assertThatThrownBy(() -> builder.readyTimeout(Duration.ofDays(2)))
                .hasMessageContaining("readyTimeout must be");
        assertThatThrownBy(() -> builder.maxInFlight(0))
                .hasMessage("maxInFlight must be positive, got 0");
        assertThatThrownBy(() -> builder.maxMessageBytes(10))
                .hasMessage("maxMessageBytes must be at least 1024, got 10");
        assertThatThrownBy(() -> builder.keepAlive(Duration.ofSeconds(1), Duration.ofSeconds(1)))
                .hasMessageContaining("keepAliveTime must be PT10S");
        assertThatThrownBy(() -> builder.maxReconnectDelay(Duration.ofMinutes(3)))
                .hasMessage("maxReconnectDelay must be PT1S to PT2M, got PT3M");
        assertThatThrownBy(() -> builder.sharedMemoryThreshold(0))
                .hasMessage("sharedMemoryThreshold must be positive, got 0");
        assertThatThrownBy(() -> builder.maxSharedMemoryBytes(2L << 30))
                .hasMessage("maxSharedMemoryBytes must be 0 to 2147479552, got 2147483648");
    }

    @Test
    void travelsWithTheJob() throws Exception {
        SidecarOptions options =
                SidecarOptions.builder(SOCKET, "m")
                        .modelVersion("3")
                        .drainAtCheckpoint(true)
                        .build();
        SidecarOptions copy = InstantiationUtil.clone(options);
        assertThat(copy).hasToString("model 'm' version '3' at unix:///run/model.sock");
        assertThat(copy.drainAtCheckpoint()).isTrue();
        assertThat(copy.maxSharedMemoryBytes()).isEqualTo(256L << 20);
    }

    @Test
    void batchesDrainByTheirOwnOption() {
        SidecarOptions options =
                SidecarOptions.builder(SOCKET, "m").drainAtCheckpoint(true).build();
        assertThatThrownBy(() -> new GpuSidecarAsyncBatchFunction<>(options, new LongCodec()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("AsyncBatchOptions");
    }
}
