package io.asyncbatch.flink.batchapi.client;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.asyncbatch.flink.batchapi.client.HttpCalls.Answer;
import java.io.FileNotFoundException;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/** OpenAI's Batch API, as many other providers and gateways serve it too. Thread-safe. */
@Internal
public final class OpenAiBatchApi implements BatchApi {

    /** The job's key among its metadata. */
    static final String KEY = "async_batch_key";

    private static final ApiLimits LIMITS = new ApiLimits(50_000, 200_000_000L);
    private static final int JOBS_PER_PAGE = 100;

    private final HttpCalls http;
    private final byte[] lineMiddle;
    private final String requestUrl;

    /**
     * @param requestUrl what each request is for, such as {@code /v1/chat/completions}
     */
    OpenAiBatchApi(HttpCalls http, String requestUrl) {
        this.http = http;
        this.requestUrl = requestUrl;
        this.lineMiddle =
                ("\",\"method\":\"POST\",\"url\":\"" + requestUrl + "\",\"body\":")
                        .getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public ApiLimits limits() {
        return LIMITS;
    }

    @Override
    public byte[] requestLine(String customId, String body) {
        return RequestLines.line(customId, lineMiddle, body);
    }

    @Override
    public boolean uploadsFilesFirst() {
        return true;
    }

    @Override
    public CompletableFuture<String> upload(Path file, String name) {
        Multipart form;
        try {
            form = new Multipart(Map.of("purpose", "batch"), file, name);
        } catch (FileNotFoundException e) {
            return CompletableFuture.failedFuture(e);
        }
        return http.post(http.endpoint().at("files"), form.body(), form.contentType())
                .thenApply(answer -> Json.id(answer.body().path("id"), "file id"));
    }

    @Override
    public CompletableFuture<JobStatus> create(JobRequest request) {
        ObjectNode job = Json.MAPPER.createObjectNode();
        job.put("input_file_id", request.fileId());
        job.put("endpoint", requestUrl);
        job.put("completion_window", "24h");
        job.putObject("metadata")
                .put(KEY, request.key())
                .put("batch_number", request.batchNumber());
        return http.post(
                        http.endpoint().at("batches"),
                        BodyPublishers.ofString(job.toString()),
                        "application/json",
                        request.key())
                .thenApply(OpenAiBatchApi::statusOf);
    }

    @Override
    public CompletableFuture<JobStatus> status(String jobId) {
        return http.get(http.endpoint().at("batches/" + jobId)).thenApply(OpenAiBatchApi::statusOf);
    }

    @Override
    public CompletableFuture<JobStatus> cancel(String jobId) {
        return http.post(
                        http.endpoint().at("batches/" + jobId + "/cancel"),
                        BodyPublishers.noBody(),
                        "application/json")
                .thenApply(OpenAiBatchApi::statusOf);
    }

    @Override
    public boolean listsJobs() {
        return true;
    }

    @Override
    public CompletableFuture<JobPage> list(@Nullable String cursor) {
        String query = "limit=" + JOBS_PER_PAGE + (cursor == null ? "" : "&after=" + cursor);
        return http.get(http.endpoint().at("batches?" + query)).thenApply(OpenAiBatchApi::pageOf);
    }

    private static JobPage pageOf(Answer answer) {
        List<JobPage.Listed> listed = new ArrayList<>();
        for (JsonNode job : answer.body().path("data")) {
            listed.add(
                    new JobPage.Listed(
                            job.path("metadata").path(KEY).asText(""),
                            job.path("created_at").asLong(0) * 1_000,
                            statusOf(job, 0)));
        }
        boolean more = answer.body().path("has_more").asBoolean() && !listed.isEmpty();
        return new JobPage(
                List.copyOf(listed), more ? listed.get(listed.size() - 1).status().jobId() : null);
    }

    @Override
    public CompletableFuture<Void> fetch(String resultFile, Path target) {
        return http.download(http.endpoint().at("files/" + resultFile + "/content"), target);
    }

    @Override
    public Optional<ResultLine> result(JsonNode line) {
        JsonNode customId = line.path("custom_id");
        if (!customId.isTextual()) {
            return Optional.empty();
        }
        JsonNode response = line.path("response");
        JsonNode body = response.path("body");
        // A gateway may report an error inside of an answer that is a success by its status.
        for (JsonNode error : List.of(line.path("error"), body.path("error"))) {
            if (!error.isMissingNode() && !error.isNull()) {
                return Optional.of(failure(customId.asText(), error));
            }
        }
        int status = response.path("status_code").asInt(0);
        if (status != 200) {
            return Optional.of(
                    ResultLine.failure(
                            customId.asText(), "http_" + status, "the request was not answered"));
        }
        if (body.isMissingNode() || body.isNull()) {
            return Optional.of(
                    ResultLine.failure(customId.asText(), "no_body", "the response has no body"));
        }
        return Optional.of(ResultLine.success(customId.asText(), body.toString()));
    }

    private static ResultLine failure(String customId, JsonNode error) {
        return ResultLine.failure(
                customId,
                Json.word(error.path("code"), Json.word(error.path("type"), "error")),
                Json.text(error.isTextual() ? error : error.path("message")));
    }

    @Override
    public void close() {
        http.close();
    }

    private static JobStatus statusOf(Answer answer) {
        return statusOf(answer.body(), answer.retryAfterMillis());
    }

    private static JobStatus statusOf(JsonNode job, long retryAfterMillis) {
        List<String> files = new ArrayList<>();
        for (String field : List.of("output_file_id", "error_file_id")) {
            if (job.hasNonNull(field)) {
                files.add(Json.id(job.path(field), field));
            }
        }
        return new JobStatus(
                Json.id(job.path("id"), "job id"),
                stateOf(job.path("status").asText("")),
                Json.word(job.path("status"), ""),
                Json.word(job.path("errors").path("data").path(0).path("code"), ""),
                List.copyOf(files),
                retryAfterMillis);
    }

    private static JobState stateOf(String status) {
        return switch (status) {
            case "validating", "in_progress", "finalizing", "cancelling" -> JobState.RUNNING;
            case "completed" -> JobState.COMPLETED;
            case "failed" -> JobState.FAILED;
            case "expired" -> JobState.EXPIRED;
            case "cancelled" -> JobState.CANCELLED;
            default -> JobState.UNKNOWN;
        };
    }
}
