package io.asyncbatch.flink.batchapi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.asyncbatch.flink.api.Jobs;
import io.asyncbatch.flink.batchapi.client.Credentials;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.JobID;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.test.junit5.InjectMiniCluster;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** What the web UI is made of, of a job whose provider repeats the key that it refuses. */
@Timeout(120)
class SecretsInRestITCase {

    private static final String SECRET = "sk-918273645546372819";
    private static final String ROW = "11223344556677";

    @RegisterExtension
    static final MiniClusterExtension CLUSTER =
            new MiniClusterExtension(
                    new MiniClusterResourceConfiguration.Builder()
                            .setConfiguration(withKey())
                            .setNumberTaskManagers(1)
                            .setNumberSlotsPerTaskManager(1)
                            .build());

    @TempDir Path directory;
    private final HttpClient http = HttpClient.newHttpClient();

    private static Configuration withKey() {
        Configuration configuration = new Configuration();
        configuration.set(Credentials.API_KEY, SECRET);
        return configuration;
    }

    @Test
    void neitherTheKeyNorARowIsShown(@InjectMiniCluster MiniCluster cluster) throws Exception {
        try (BatchApiStub stub = new BatchApiStub()) {
            stub.fault(
                    "POST /v1/files",
                    BatchApiStub.answer(
                            401,
                            "application/json",
                            "{\"error\":{\"code\":\"invalid_api_key\",\"message\":\"wrong key "
                                    + SECRET
                                    + " for "
                                    + ROW
                                    + "\"}}"));
            JobClient job = submit(stub);
            URI rest = cluster.getRestAddress().get();
            await().atMost(Duration.ofSeconds(60))
                    .untilAsserted(
                            () ->
                                    assertThat(get(rest, "/jobs/" + job.getJobID()))
                                            .contains("\"state\":\"FAILED\""));
            assertThat(stub.requests()).isNotEmpty();
            assertThat(stub.requests().get(0).header("Authorization"))
                    .isEqualTo("Bearer " + SECRET);

            Map<String, String> shown = everything(rest, job.getJobID());
            assertThat(shown.get("/jobs/%s/exceptions".formatted(job.getJobID())))
                    .contains("HTTP 401", "invalid_api_key");
            assertThat(shown.get("/jobmanager/config"))
                    .contains(Credentials.API_KEY.key(), GlobalConfiguration.HIDDEN_CONTENT);
            shown.forEach(
                    (path, answer) ->
                            assertThat(answer).as(path).doesNotContain(SECRET).doesNotContain(ROW));
        }
    }

    private JobClient submit(BatchApiStub stub) throws Exception {
        // A mistake that is easily made: the key among the job's own options.
        StreamExecutionEnvironment env = Jobs.environment(withKey());
        env.getConfig().setGlobalJobParameters(withKey());
        BatchInferenceOptions options =
                BatchInferenceOptions.builder(stub.openAi())
                        .set(BatchInferenceOptions.SIZE, 1)
                        .set(BatchInferenceOptions.FILL_TIME, Duration.ofMillis(50))
                        .set(BatchInferenceOptions.LOCAL_DIR, directory + "/batches")
                        .build();
        BatchInference.apply(
                        env.fromData(Long.valueOf(ROW)),
                        new BatchApiChaosITCase.Doubling(),
                        options)
                .sinkTo(new DiscardingSink<>());
        return env.executeAsync();
    }

    /** Answers by path, of all that the web UI asks for. */
    private Map<String, String> everything(URI rest, JobID job) throws Exception {
        Map<String, String> answers = new LinkedHashMap<>();
        for (String path :
                List.of(
                        "/config",
                        "/overview",
                        "/jobs/overview",
                        "/jobmanager/config",
                        "/jobmanager/environment",
                        "/taskmanagers",
                        "/jobs/" + job,
                        "/jobs/" + job + "/config",
                        "/jobs/" + job + "/plan",
                        "/jobs/" + job + "/exceptions",
                        "/jobs/" + job + "/accumulators",
                        "/jobs/" + job + "/checkpoints",
                        "/jobs/" + job + "/jobmanager/config",
                        "/jobs/" + job + "/jobmanager/environment")) {
            answers.put(path, get(rest, path));
        }
        return answers;
    }

    private String get(URI rest, String path) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(rest.resolve(path)).build();
        HttpResponse<String> answer = http.send(request, HttpResponse.BodyHandlers.ofString());
        return answer.body();
    }
}
