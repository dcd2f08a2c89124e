package io.asyncbatch.flink.batchapi.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.tuple;

import com.fasterxml.jackson.databind.JsonNode;
import io.asyncbatch.flink.batchapi.BatchApiStub;
import io.asyncbatch.flink.batchapi.BatchApiStub.Fault;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Both shapes over HTTP, against a server that misbehaves on demand. */
@Timeout(60)
class HttpBatchApiTest {

    private static final String KEY = "0123456789abcdef";
    private static final String SECRET = "sk-secret";

    @TempDir Path directory;

    private BatchApiStub stub;
    private BatchApi openAi;
    private BatchApi simple;

    @BeforeEach
    void start() throws IOException {
        stub = new BatchApiStub();
        openAi = api(HttpBatchApiFactory.Shape.OPENAI, stub.openAi(), Duration.ofSeconds(20));
        simple = api(HttpBatchApiFactory.Shape.SIMPLE, stub.address(), Duration.ofSeconds(20));
    }

    private static BatchApi api(HttpBatchApiFactory.Shape shape, String address, Duration timeout)
            throws IOException {
        Configuration taskManager = new Configuration();
        taskManager.set(Credentials.API_KEY, SECRET);
        return new HttpBatchApiFactory(
                        shape,
                        Endpoint.of("endpoint", address),
                        "/v1/chat/completions",
                        new Credentials("NO_SUCH_VARIABLE", null),
                        timeout,
                        10_000)
                .create(taskManager);
    }

    @AfterEach
    void stop() {
        openAi.close();
        simple.close();
        stub.close();
    }

    private Path requests(BatchApi api, int count) throws IOException {
        Path file = Files.createTempFile(directory, "requests", ".jsonl");
        StringBuilder lines = new StringBuilder();
        for (int n = 0; n < count; n++) {
            lines.append(new String(api.requestLine(KEY + "-" + n, "{\"n\":" + n + "}"), "UTF-8"));
        }
        return Files.writeString(file, lines);
    }

    private JobStatus created() throws IOException {
        String fileId = openAi.upload(requests(openAi, 2), "batch-0-0.jsonl").join();
        return openAi.create(new JobRequest(KEY, "batch-0-0", fileId, null)).join();
    }

    private List<ResultLine> results(BatchApi api, String file) throws IOException {
        Path target = Files.createTempFile(directory, "results", ".jsonl");
        api.fetch(file, target).join();
        List<ResultLine> results = new ArrayList<>();
        ResultReader.read(target, line -> api.result(line).ifPresent(results::add));
        return results;
    }

    private static BatchApiException failureOf(CompletableFuture<?> call) {
        Throwable failure = catchThrowable(call::join);
        assertThat(failure).isInstanceOf(CompletionException.class);
        assertThat(failure).hasCauseInstanceOf(BatchApiException.class);
        return (BatchApiException) failure.getCause();
    }

    // ------------------------------------------------------- what should be

    @Test
    void aJobOfOpenAisShape() throws Exception {
        JobStatus status = created();
        assertThat(status.state()).isEqualTo(JobState.RUNNING);
        while (!status.state().isFinal()) {
            status = openAi.status(status.jobId()).join();
        }
        assertThat(status.state()).isEqualTo(JobState.COMPLETED);
        assertThat(results(openAi, status.resultFiles().get(0)))
                .containsExactly(
                        ResultLine.success(KEY + "-0", "{\"n\":0}"),
                        ResultLine.success(KEY + "-1", "{\"n\":2}"));
        BatchApiStub.Request create =
                stub.requests().stream()
                        .filter(request -> request.line().equals("POST /v1/batches"))
                        .findFirst()
                        .orElseThrow();
        assertThat(create.header("Idempotency-key")).isEqualTo(KEY);
        assertThat(create.header("Authorization")).isEqualTo("Bearer " + SECRET);
        assertThat(create.body())
                .contains("\"completion_window\":\"24h\"", "\"endpoint\":\"/v1/chat/completions\"");
    }

    @Test
    void aJobOfTheSimpleShapeWhichIsCreatedOnce() throws Exception {
        JobRequest request = new JobRequest(KEY, "batch-0-0", null, requests(simple, 2));
        stub.fault("POST /ml/api/batch_predict", BatchApiStub.answerLost());
        assertThat(failureOf(simple.create(request)).kind())
                .isEqualTo(BatchApiException.Kind.TRANSIENT);
        JobStatus status = simple.create(request).join();
        assertThat(stub.jobs()).hasSize(1);
        while (!status.state().isFinal()) {
            status = simple.status(status.jobId()).join();
        }
        assertThat(results(simple, status.resultFiles().get(0)))
                .containsExactly(
                        ResultLine.success(KEY + "-0", "{\"n\":0}"),
                        ResultLine.success(KEY + "-1", "{\"n\":2}"));
    }

    @Test
    void jobsAreListedPageByPage() throws Exception {
        stub.pageSize = 2;
        String fileId = openAi.upload(requests(openAi, 1), "some.jsonl").join();
        for (int job = 0; job < 5; job++) {
            openAi.create(new JobRequest("key-" + job, "b", fileId, null)).join();
        }
        List<String> keys = new ArrayList<>();
        List<Integer> sizes = new ArrayList<>();
        String cursor = null;
        do {
            JobPage page = openAi.list(cursor).join();
            page.jobs().forEach(job -> keys.add(job.key()));
            sizes.add(page.jobs().size());
            assertThat(page.jobs().get(0).createdAtMillis()).isGreaterThan(1_700_000_000_000L);
            cursor = page.next();
        } while (cursor != null);
        assertThat(keys).containsExactly("key-4", "key-3", "key-2", "key-1", "key-0");
        assertThat(sizes).containsExactly(2, 2, 1);
        assertThat(simple.listsJobs()).isFalse();
    }

    @Test
    void aCancelledJobHasWhatItHadComputed() throws Exception {
        JobStatus status = openAi.cancel(created().jobId()).join();
        assertThat(status.state()).isEqualTo(JobState.CANCELLED);
        assertThat(results(openAi, status.resultFiles().get(0))).hasSize(1);
    }

    @Test
    void requestsAreOneLineOfJson() {
        assertThat(new String(openAi.requestLine("id", "{\r\n\"a\" : 1.10}")))
                .isEqualTo(
                        "{\"custom_id\":\"id\",\"method\":\"POST\","
                                + "\"url\":\"/v1/chat/completions\",\"body\":{\"a\":1.10}}\n");
        for (String body : List.of("", "{", "{} {}", "{}\n{}", "nonsense")) {
            assertThatThrownBy(() -> openAi.requestLine("id", body))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("JSON value");
        }
    }

    // --------------------------------------------------------- what goes wrong

    @ParameterizedTest
    @CsvSource({
        "400, REJECTED",
        "401, FATAL",
        "403, FATAL",
        "404, REJECTED",
        "408, TRANSIENT",
        "409, TRANSIENT",
        "413, REJECTED",
        "429, TRANSIENT",
        "500, TRANSIENT",
        "503, TRANSIENT",
    })
    void whatAStatusMeans(int status, BatchApiException.Kind kind) throws Exception {
        stub.fault("GET /v1/batches/b", BatchApiStub.status(status));
        BatchApiException failure = failureOf(openAi.status("b"));
        assertThat(failure.kind()).isEqualTo(kind);
        assertThat(failure)
                .hasMessageContaining("GET http://127.0.0.1")
                .hasMessageContaining("/v1/batches/b: HTTP " + status + " (some_code)")
                .hasMessageNotContaining(SECRET);
    }

    @Test
    void theWishToBeLeftAloneIsPassedOn() {
        stub.fault("GET /v1/batches/b", BatchApiStub.status(429, "Retry-After", "7"));
        assertThat(failureOf(openAi.status("b")).retryAfterMillis()).isEqualTo(7_000);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "https://elsewhere.example/v1/batches/b",
                "/v1/batches/c",
                "file:///etc/passwd"
            })
    void redirectsAreNotFollowed(String location) {
        stub.fault("GET /v1/batches/b", BatchApiStub.status(302, "Location", location));
        assertThat(failureOf(openAi.status("b")))
                .hasMessageContaining("HTTP 302")
                .hasMessageContaining("redirects are not followed")
                .extracting(BatchApiException::kind)
                .isEqualTo(BatchApiException.Kind.FATAL);
        assertThat(stub.requests()).hasSize(1);
    }

    @Test
    void resultsElsewhereAreNotFetched() throws Exception {
        for (String url :
                List.of(
                        "http://169.254.169.254/x",
                        "//elsewhere.example/x",
                        "file:///etc/passwd")) {
            stub.fault(
                    "GET /ml/api/batch/status/b",
                    BatchApiStub.answer(
                            200,
                            "application/json",
                            "{\"status\":\"completed\",\"results_url\":\"" + url + "\"}"));
            assertThat(failureOf(simple.status("b")))
                    .hasMessageContaining("another server")
                    .extracting(BatchApiException::kind)
                    .isEqualTo(BatchApiException.Kind.FATAL);
        }
    }

    @Test
    void noAnswerAndHalfAnAnswerAreTransient() throws Exception {
        BatchApi impatient =
                api(HttpBatchApiFactory.Shape.OPENAI, stub.openAi(), Duration.ofMillis(300));
        stub.fault("GET /v1/batches/b", stub.silence());
        assertThat(failureOf(impatient.status("b")))
                .extracting(BatchApiException::kind)
                .isEqualTo(BatchApiException.Kind.TRANSIENT);
        impatient.close();
        List<Fault> faults =
                List.of(
                        BatchApiStub.answerLost(),
                        BatchApiStub.brokenOff("{\"id\":"),
                        BatchApiStub.answer(200, "text/html", "<html>log in</html>"),
                        BatchApiStub.answer(200, "application/json", "<html>log in</html>"),
                        BatchApiStub.answer(200, "application/json", "[]"),
                        BatchApiStub.answer(200, "application/json", ""),
                        BatchApiStub.answer(200, "application/json", "{}"),
                        BatchApiStub.answer(200, "application/json", "{\"id\":\"../x\"}"));
        for (Fault fault : faults) {
            stub.fault("GET /v1/batches/b", fault);
            assertThat(failureOf(openAi.status("b")).kind())
                    .isEqualTo(BatchApiException.Kind.TRANSIENT);
        }
    }

    @Test
    void aServerThatIsNotThereIsTransient() throws Exception {
        stub.close();
        assertThat(failureOf(openAi.status("b")).kind())
                .isEqualTo(BatchApiException.Kind.TRANSIENT);
    }

    @Test
    void anAnswerThatIsTooLargeIsRefusedBeforeItIsHeld() throws Exception {
        Path target = Files.createTempFile(directory, "results", ".jsonl");
        stub.fault(
                "GET /v1/files/f/content",
                BatchApiStub.answer(200, "application/jsonl", "x".repeat(20_000)));
        assertThat(failureOf(openAi.fetch("f", target)))
                .hasMessageContaining("larger than the 10000 bytes")
                .extracting(BatchApiException::kind)
                .isEqualTo(BatchApiException.Kind.REJECTED);
        assertThat(Files.size(target)).isLessThanOrEqualTo(10_000);
    }

    /** The key goes to the address that was configured and to no other. */
    @ParameterizedTest
    @ValueSource(ints = {301, 302, 303, 307, 308})
    void theKeyIsNotSentToWhereARedirectPoints(int status) throws Exception {
        try (BatchApiStub elsewhere = new BatchApiStub()) {
            String there = elsewhere.openAi() + "/files";
            stub.fault("POST /v1/files", BatchApiStub.status(status, "Location", there));
            CompletableFuture<?> upload = openAi.upload(requests(openAi, 1), "batch-0-0.jsonl");
            assertThat(failureOf(upload).kind()).isEqualTo(BatchApiException.Kind.FATAL);
            assertThat(stub.requests().get(0).header("Authorization")).contains(SECRET);
            assertThat(elsewhere.requests()).isEmpty();
        }
    }

    @Test
    void anAnswerWithoutEndIsCutOff() throws Exception {
        stub.fault("GET /v1/batches/b", BatchApiStub.endless("{\"id\":\"".getBytes(), 'x'));
        assertThat(failureOf(openAi.status("b")))
                .hasMessageContaining("larger than the")
                .extracting(BatchApiException::kind)
                .isEqualTo(BatchApiException.Kind.REJECTED);
        Path target = Files.createTempFile(directory, "results", ".jsonl");
        stub.fault("GET /v1/files/f/content", BatchApiStub.endless(new byte[0], '\n'));
        assertThat(failureOf(openAi.fetch("f", target)).kind())
                .isEqualTo(BatchApiException.Kind.REJECTED);
        assertThat(Files.size(target)).isLessThanOrEqualTo(10_000);
    }

    @Test
    void anAnswerThatDripsForEverEndsAtTheDeadline() throws Exception {
        BatchApi impatient =
                api(HttpBatchApiFactory.Shape.OPENAI, stub.openAi(), Duration.ofMillis(300));
        stub.fault("GET /v1/batches/b", stub.drip());
        assertThat(failureOf(impatient.status("b")))
                .hasMessageContaining("no answer in time")
                .extracting(BatchApiException::kind)
                .isEqualTo(BatchApiException.Kind.TRANSIENT);
        impatient.close();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../../../admin",
                "..",
                "a/b",
                "a?b=c",
                "a#b",
                "a b",
                "a\\nHost: elsewhere",
                "a\\r\\n\\r\\nGET /",
                "a\\u0000",
                "%2e%2e",
                "http://169.254.169.254/",
                ""
            })
    void anIdThatIsNoPartOfAPathIsRefused(String id) {
        String quoted = '"' + id + '"';
        for (String answer :
                List.of(
                        "{\"id\":" + quoted + ",\"status\":\"completed\"}",
                        "{\"id\":\"b\",\"status\":\"completed\",\"output_file_id\":" + quoted + "}",
                        "{\"id\":\"b\",\"status\":\"completed\",\"error_file_id\":"
                                + quoted
                                + "}")) {
            stub.fault("GET /v1/batches/b", BatchApiStub.answer(200, "application/json", answer));
            assertThat(failureOf(openAi.status("b"))).hasMessageContaining("no usable");
        }
        assertThat(stub.requests()).hasSize(3);
    }

    @Test
    void hostileLinesAreCountedAndTheOthersRead() throws Exception {
        Path file = Files.createTempFile(directory, "results", ".jsonl");
        String right =
                "{\"custom_id\":\"a\",\"response\":{\"status_code\":200,\"body\":{\"n\":1}}}";
        Files.writeString(
                file,
                String.join(
                        "\n",
                        "[".repeat(100_000),
                        "{\"custom_id\":" + "{\"x\":".repeat(10_000),
                        "{\"custom_id\":" + "9".repeat(5_000) + "}",
                        "{\"custom_id\":\"b\",\"response\":{\"status_code\":1e1000000000}}",
                        "{\"custom_id\":[\"c\"]}",
                        right));
        // A first line that is an array would have the whole file be one.
        Files.writeString(file, "\u007f\n" + Files.readString(file));
        List<ResultLine> read = new ArrayList<>();
        List<JsonNode> foreign = new ArrayList<>();
        int damaged =
                ResultReader.read(
                        file,
                        line ->
                                openAi.result(line)
                                        .ifPresentOrElse(read::add, () -> foreign.add(line)));
        assertThat(damaged).isEqualTo(4);
        assertThat(foreign).hasSize(1);
        assertThat(read)
                .extracting(ResultLine::customId, ResultLine::body)
                .containsExactly(tuple("b", null), tuple("a", "{\"n\":1}"));
    }

    @Test
    void resultsThatBreakOffAreTransient() throws Exception {
        Path target = Files.createTempFile(directory, "results", ".jsonl");
        stub.fault("GET /v1/files/f/content", BatchApiStub.brokenOff("{\"custom_id\":"));
        assertThat(failureOf(openAi.fetch("f", target)).kind())
                .isEqualTo(BatchApiException.Kind.TRANSIENT);
        stub.fault(
                "GET /v1/files/f/content",
                BatchApiStub.answer(200, "text/html; charset=utf-8", "<html></html>"));
        assertThat(failureOf(openAi.fetch("f", target))).hasMessageContaining("HTML page");
    }

    @Test
    void errorsHideInsideOfResults() throws Exception {
        List<String> lines =
                List.of(
                        "{\"custom_id\":\"a\",\"error\":{\"code\":\"batch_expired\",\"message\":\"m\"}}",
                        "{\"custom_id\":\"b\",\"error\":null,\"response\":{\"status_code\":200,"
                                + "\"body\":{\"error\":{\"type\":\"over loaded\\n\"}}}}",
                        "{\"custom_id\":\"c\",\"response\":{\"status_code\":400,\"body\":{}}}",
                        "{\"custom_id\":\"d\",\"response\":{\"status_code\":200}}",
                        "{\"custom_id\":\"e\"}",
                        "{\"custom_id\":\"f\",\"error\":\"text\"}");
        List<String> codes =
                lines.stream()
                        .map(HttpBatchApiTest::json)
                        .map(openAi::result)
                        .map(Optional::orElseThrow)
                        .map(ResultLine::errorCode)
                        .toList();
        assertThat(codes)
                .containsExactly(
                        "batch_expired", "over_loaded_", "http_400", "no_body", "http_0", "error");
        assertThat(openAi.result(json("{}"))).isEmpty();
        assertThat(openAi.result(json("{\"custom_id\":7}"))).isEmpty();
        assertThat(simple.result(json("{\"custom_id\":\"a\",\"error\":\"m\"}")))
                .hasValue(ResultLine.failure("a", "error", "m"));
        assertThat(simple.result(json("{\"custom_id\":\"a\"}")).orElseThrow().errorCode())
                .isEqualTo("no_output");
    }

    private static JsonNode json(String text) {
        try {
            return Json.MAPPER.readTree(text);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "validating, RUNNING",
        "in_progress, RUNNING",
        "finalizing, RUNNING",
        "cancelling, RUNNING",
        "completed, COMPLETED",
        "failed, FAILED",
        "expired, EXPIRED",
        "cancelled, CANCELLED",
        "paused, UNKNOWN",
    })
    void whatAWordMeans(String word, JobState state) {
        for (BatchApi api : List.of(openAi, simple)) {
            String path = api == openAi ? "GET /v1/batches/b" : "GET /ml/api/batch/status/b";
            stub.fault(
                    path,
                    BatchApiStub.answer(
                            200, "application/json", "{\"id\":\"b\",\"status\":\"" + word + "\"}"));
        }
        assertThat(openAi.status("b").join().state()).isEqualTo(state);
        if (!word.equals("validating")
                && !word.equals("finalizing")
                && !word.equals("cancelling")) {
            assertThat(simple.status("b").join().state()).isEqualTo(state);
        }
    }
}
