package io.asyncbatch.flink.batchapi.client;

import static io.asyncbatch.flink.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The clients against the stub of the examples, with which OpenAI's own client gets along. */
@Timeout(60)
class ExampleStubTest {

    private static final String KEY = "0123456789abcdef";
    private static final String REQUEST =
            "{\"messages\":[{\"role\":\"user\",\"content\":\"h\u00e4llo\"}]}";

    @TempDir Path directory;

    private Process process;
    private String address;

    @BeforeEach
    void start() throws IOException {
        Path example =
                Path.of("").toAbsolutePath().getParent().resolve("examples/batch_api_stub.py");
        process =
                new ProcessBuilder("python3", example.toString(), "--seconds", "0")
                        .redirectError(ProcessBuilder.Redirect.INHERIT)
                        .start();
        address =
                new BufferedReader(
                                new InputStreamReader(
                                        process.getInputStream(), StandardCharsets.UTF_8))
                        .readLine();
    }

    @AfterEach
    void stop() {
        process.destroyForcibly();
    }

    private static BatchApi api(HttpBatchApiFactory.Shape shape, String address)
            throws IOException {
        return new HttpBatchApiFactory(
                        shape,
                        Endpoint.of("endpoint", address),
                        "/v1/chat/completions",
                        new Credentials("NO_SUCH_VARIABLE", null),
                        Duration.ofSeconds(20),
                        10_000)
                .create(new Configuration());
    }

    private Path requests(BatchApi api) throws IOException {
        return Files.write(
                Files.createTempFile(directory, "requests", ".jsonl"),
                api.requestLine(KEY + "-0", REQUEST));
    }

    private List<ResultLine> resultsOf(BatchApi api, String jobId) throws IOException {
        JobStatus status =
                await().until(
                                () -> api.status(jobId).join(),
                                current -> current.state() == JobState.COMPLETED);
        Path target = Files.createTempFile(directory, "results", ".jsonl");
        api.fetch(status.resultFiles().get(0), target).join();
        List<ResultLine> results = new ArrayList<>();
        ResultReader.read(target, line -> api.result(line).ifPresent(results::add));
        return results;
    }

    @Test
    void aJobOfOpenAisShape() throws Exception {
        try (BatchApi api = api(HttpBatchApiFactory.Shape.OPENAI, address)) {
            String fileId = api.upload(requests(api), "batch-0-0.jsonl").join();
            JobStatus created = api.create(new JobRequest(KEY, "batch-0-0", fileId, null)).join();
            assertThat(api.list(null).join().jobs())
                    .extracting(JobPage.Listed::key)
                    .containsExactly(KEY);
            assertThat(resultsOf(api, created.jobId()))
                    .singleElement()
                    .satisfies(line -> assertThat(line.customId()).isEqualTo(KEY + "-0"))
                    .satisfies(line -> assertThat(line.body()).contains("h\u00e4llo"));
        }
    }

    @Test
    void aJobOfTheSimpleShape() throws Exception {
        String root = address.replaceFirst("/v1$", "");
        try (BatchApi api = api(HttpBatchApiFactory.Shape.SIMPLE, root)) {
            JobRequest request = new JobRequest(KEY, "batch-0-0", null, requests(api));
            JobStatus created = api.create(request).join();
            assertThat(api.create(request).join().jobId()).isEqualTo(created.jobId());
            assertThat(resultsOf(api, created.jobId()))
                    .containsExactly(ResultLine.success(KEY + "-0", REQUEST));
        }
    }
}
