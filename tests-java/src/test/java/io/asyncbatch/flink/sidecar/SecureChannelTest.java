package io.asyncbatch.flink.sidecar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.grpc.Metadata;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Encryption, certificates and tokens. */
@Timeout(120)
class SecureChannelTest {

    private static final Metadata.Key<String> AUTHORIZATION =
            Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
    private static final String PASSWORD = "changeit";

    @TempDir static Path directory;
    private static Identity server;
    private static Identity client;
    private static Identity stranger;

    /** A certificate that is its own authority, and its key, in PEM. */
    private record Identity(Path certificate, Path key) {

        static Identity create(String name) throws Exception {
            Path store = directory.resolve(name + ".p12");
            Process keytool =
                    new ProcessBuilder(
                                    Path.of(System.getProperty("java.home"), "bin", "keytool")
                                            .toString(),
                                    "-genkeypair",
                                    "-alias",
                                    name,
                                    "-keyalg",
                                    "EC",
                                    "-dname",
                                    "CN=" + name,
                                    "-ext",
                                    "san=dns:localhost,ip:127.0.0.1",
                                    "-keystore",
                                    store.toString(),
                                    "-storetype",
                                    "PKCS12",
                                    "-storepass",
                                    PASSWORD)
                            .redirectErrorStream(true)
                            .start();
            String output =
                    new String(keytool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(keytool.waitFor()).as(output).isZero();
            KeyStore keys = KeyStore.getInstance(store.toFile(), PASSWORD.toCharArray());
            return new Identity(
                    pem(name + ".crt", "CERTIFICATE", keys.getCertificate(name).getEncoded()),
                    pem(
                            name + ".key",
                            "PRIVATE KEY",
                            keys.getKey(name, PASSWORD.toCharArray()).getEncoded()));
        }

        private static Path pem(String file, String type, byte[] content) throws Exception {
            String body = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(content);
            return Files.writeString(
                    directory.resolve(file),
                    "-----BEGIN %s-----\n%s\n-----END %s-----\n".formatted(type, body, type));
        }
    }

    @BeforeAll
    static void createIdentities() throws Exception {
        server = Identity.create("server");
        client = Identity.create("client");
        stranger = Identity.create("stranger");
    }

    private static MockSidecar tlsServer() throws Exception {
        return MockSidecar.onTls(
                server.certificate.toFile(), server.key.toFile(), client.certificate.toFile());
    }

    private static SidecarOptions.Builder options(MockSidecar sidecar, Identity authority) {
        return sidecar.options()
                .caFile(authority.certificate.toString())
                .readyTimeout(Duration.ofSeconds(2));
    }

    @Test
    void bothSidesShowWhoTheyAre() throws Exception {
        Path token = Files.writeString(directory.resolve("token"), "s3cret\n");
        try (MockSidecar sidecar = tlsServer();
                ClientRig rig =
                        ClientRig.open(
                                options(sidecar, server)
                                        .readyTimeout(Duration.ofSeconds(60))
                                        .clientCertificate(
                                                client.certificate.toString(),
                                                client.key.toString())
                                        .tokenFromFile(token.toString()))) {
            assertThat(rig.call(1L).get()).containsExactly(10L);
            assertThat(sidecar.headers.get(0).get(AUTHORIZATION)).isEqualTo("Bearer s3cret");
        }
    }

    @Test
    void aServerOfAnotherAuthorityIsNotTrusted() throws Exception {
        try (MockSidecar sidecar = tlsServer()) {
            assertThatThrownBy(() -> ClientRig.open(options(sidecar, stranger)))
                    .isInstanceOf(SidecarException.Unavailable.class);
            assertThat(sidecar.asked("ServerReady")).isZero();
        }
    }

    @Test
    void aClientWithoutACertificateIsNotLetIn() throws Exception {
        try (MockSidecar sidecar = tlsServer()) {
            assertThatThrownBy(() -> ClientRig.open(options(sidecar, server)))
                    .isInstanceOf(SidecarException.class);
            assertThat(sidecar.asked("ServerReady")).isZero();
        }
    }

    @Test
    void filesThatCannotBeReadAreNamed() throws Exception {
        try (MockSidecar sidecar = MockSidecar.onTcp()) {
            assertThatThrownBy(() -> ClientRig.open(sidecar.options().caFile("/nowhere/ca.pem")))
                    .isInstanceOf(SidecarException.AccessDenied.class)
                    .hasMessageContaining("/nowhere/ca.pem");
        }
    }

    @Test
    void aTokenMustBeThere() throws Exception {
        Path empty = Files.writeString(directory.resolve("empty"), " \n");
        Path several = Files.writeString(directory.resolve("several"), "one secret\ntwo");
        try (MockSidecar sidecar = MockSidecar.onTcp()) {
            for (String file :
                    List.of(empty.toString(), several.toString(), directory + "/nowhere")) {
                assertThatThrownBy(() -> ClientRig.open(sidecar.options().tokenFromFile(file)))
                        .isInstanceOf(SidecarException.AccessDenied.class)
                        .hasMessageContaining(file)
                        .message()
                        .doesNotContain("secret");
            }
            assertThatThrownBy(
                            () ->
                                    ClientRig.open(
                                            sidecar.options().tokenFromEnvironment("NO_SUCH_ONE")))
                    .isInstanceOf(SidecarException.AccessDenied.class)
                    .hasMessageContaining("NO_SUCH_ONE");
            // What every environment has.
            try (ClientRig rig = ClientRig.open(sidecar.options().tokenFromEnvironment("PATH"))) {
                rig.call(1L).get();
                assertThat(sidecar.headers.get(0).get(AUTHORIZATION))
                        .isEqualTo("Bearer " + System.getenv("PATH"));
            }
        }
    }
}
