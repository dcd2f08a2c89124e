package io.asyncbatch.flink.batchapi.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Where requests may go, and with which key. */
class EndpointTest {

    @ParameterizedTest
    @ValueSource(
            strings = {
                "file:///etc/passwd",
                "ftp://api.example/v1",
                "api.example/v1",
                "http://api.example/v1",
                "http://10.0.0.1/v1",
                "https://169.254.169.254/latest",
                "http://169.254.169.254/latest",
                "https://2852039166/",
                "https://[fe80::1]/",
                "https://[fd00:ec2::254]/",
                "https://[::ffff:169.254.169.254]/",
                "https://0.0.0.0/",
                "https://100.100.100.200/",
                "https://metadata.google.internal/",
                "https://api.example/v1?key=1",
                "https://api.example/v1#x",
                "https:///v1",
                "https://api example/v1",
            })
    void refuses(String address) {
        assertThatThrownBy(() -> Endpoint.of("ml.batch.api.endpoint", address))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("ml.batch.api.endpoint");
    }

    @Test
    void refusesCredentialsWithoutRepeatingThem() {
        for (String address :
                new String[] {"https://me:pa55@api.example/", "https://me:pa55@a b/"}) {
            assertThatThrownBy(() -> Endpoint.of("ml.batch.api.endpoint", address))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageNotContaining("pa55")
                    .hasNoCause();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "https://api.example/v1",
                "https://api.example:8443/v1/",
                "http://localhost:8000",
                "http://127.0.0.1:8000/v1",
                "http://[::1]:8000",
                "https://10.0.0.1/v1",
            })
    void accepts(String address) {
        Endpoint endpoint = Endpoint.of("ml.batch.api.endpoint", address);
        String prefix = address.endsWith("/") ? address : address + "/";
        assertThat(endpoint.at("files/x").toString()).isEqualTo(prefix + "files/x");
    }

    @Test
    void looksAtWhatANameStandsForBeforeItIsCalled() throws Exception {
        Endpoint.of("endpoint", "http://localhost").requireHarmlessAddresses("endpoint");
        assertThatThrownBy(
                        () ->
                                Endpoint.of("endpoint", "https://no-such-host.invalid")
                                        .requireHarmlessAddresses("endpoint"))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("no-such-host.invalid");
    }

    @Test
    void theKeyComesFromWhereItIsSaidToBe(@TempDir Path directory) throws Exception {
        Configuration taskManager = new Configuration();
        taskManager.set(Credentials.API_KEY, "from-configuration");
        Map<String, String> environment = Map.of("SOME_KEY", "from-environment");
        Path file = Files.writeString(directory.resolve("key"), "from-file\n");

        assertThat(new Credentials("SOME_KEY", file.toString()).key(taskManager, environment::get))
                .hasValue("from-file");
        assertThat(new Credentials("SOME_KEY", null).key(taskManager, environment::get))
                .hasValue("from-environment");
        assertThat(new Credentials("OTHER", null).key(taskManager, environment::get))
                .hasValue("from-configuration");
        assertThat(new Credentials("OTHER", null).key(new Configuration(), environment::get))
                .isEmpty();
        assertThatThrownBy(
                        () ->
                                new Credentials("BAD", null)
                                        .key(taskManager, name -> "two\nlines-of-secret"))
                .hasMessageContaining("BAD")
                .hasMessageNotContaining("lines-of-secret");
    }

    @Test
    void flinkHidesTheKeyByItsName() {
        assertThat(GlobalConfiguration.isSensitive(Credentials.API_KEY.key())).isTrue();
    }
}
