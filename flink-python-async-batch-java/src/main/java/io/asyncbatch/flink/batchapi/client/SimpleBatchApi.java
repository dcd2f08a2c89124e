package io.asyncbatch.flink.batchapi.client;

import com.fasterxml.jackson.databind.JsonNode;
import io.asyncbatch.flink.batchapi.client.HttpCalls.Answer;
import java.io.FileNotFoundException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * The plain shape: {@code POST ml/api/batch_predict} takes a file and makes a job, {@code GET
 * ml/api/batch/status/<id>} says how far it is and where its results are. Thread-safe.
 *
 * <p>It knows neither a list of jobs nor an end on demand. That a job whose answer was lost is not
 * made twice is up to the server, which is told an Idempotency-Key.
 */
@Internal
public final class SimpleBatchApi implements BatchApi {

    private static final ApiLimits LIMITS = new ApiLimits(50_000, 200_000_000L);
    private static final byte[] LINE_MIDDLE = "\",\"input\":".getBytes(StandardCharsets.US_ASCII);

    private final HttpCalls http;

    SimpleBatchApi(HttpCalls http) {
        this.http = http;
    }

    @Override
    public ApiLimits limits() {
        return LIMITS;
    }

    @Override
    public byte[] requestLine(String customId, String body) {
        return RequestLines.line(customId, LINE_MIDDLE, body);
    }

    @Override
    public boolean uploadsFilesFirst() {
        return false;
    }

    @Override
    public CompletableFuture<String> upload(Path file, String name) {
        throw new UnsupportedOperationException("the file goes along with the job");
    }

    @Override
    public CompletableFuture<JobStatus> create(JobRequest request) {
        Multipart form;
        try {
            form =
                    new Multipart(
                            Map.of("batch_number", request.batchNumber()),
                            request.file(),
                            request.batchNumber() + ".jsonl");
        } catch (FileNotFoundException e) {
            return CompletableFuture.failedFuture(e);
        }
        return http.post(
                        http.endpoint().at("ml/api/batch_predict"),
                        form.body(),
                        form.contentType(),
                        request.key())
                .thenApply(answer -> statusOf(answer, Optional.empty()));
    }

    @Override
    public CompletableFuture<JobStatus> status(String jobId) {
        return http.get(http.endpoint().at("ml/api/batch/status/" + jobId))
                .thenApply(answer -> statusOf(answer, Optional.of(jobId)));
    }

    @Override
    public boolean listsJobs() {
        return false;
    }

    @Override
    public CompletableFuture<JobPage> list(@Nullable String cursor) {
        throw new UnsupportedOperationException("there is no list");
    }

    @Override
    public CompletableFuture<JobStatus> cancel(String jobId) {
        return CompletableFuture.completedFuture(
                new JobStatus(jobId, JobState.CANCELLED, "abandoned", "", List.of(), 0));
    }

    @Override
    public CompletableFuture<Void> fetch(String resultFile, Path target) {
        URI address;
        try {
            address = http.endpoint().ownAddress(resultFile);
        } catch (BatchApiException e) {
            return CompletableFuture.failedFuture(e);
        }
        return http.download(address, target);
    }

    @Override
    public Optional<ResultLine> result(JsonNode line) {
        JsonNode customId = line.path("custom_id");
        if (!customId.isTextual()) {
            return Optional.empty();
        }
        JsonNode error = line.path("error");
        if (!error.isMissingNode() && !error.isNull()) {
            return Optional.of(
                    ResultLine.failure(
                            customId.asText(),
                            Json.word(error.path("code"), "error"),
                            Json.text(error.isTextual() ? error : error.path("message"))));
        }
        if (!line.has("output")) {
            return Optional.of(
                    ResultLine.failure(customId.asText(), "no_output", "the result is empty"));
        }
        return Optional.of(ResultLine.success(customId.asText(), line.get("output").toString()));
    }

    @Override
    public void close() {
        http.close();
    }

    /**
     * @param known the id that was asked for, since a status need not repeat it
     */
    private JobStatus statusOf(Answer answer, Optional<String> known) {
        JsonNode job = answer.body();
        String id =
                known.orElseGet(
                        () ->
                                Json.id(
                                        job.has("id") ? job.get("id") : job.path("job_id"),
                                        "job id"));
        String results = job.path("results_url").asText("");
        if (!results.isEmpty()) {
            try {
                http.endpoint().ownAddress(results);
            } catch (BatchApiException e) {
                throw new CompletionException(e);
            }
        }
        return new JobStatus(
                id,
                stateOf(job.path("status").asText("submitted")),
                Json.word(job.path("status"), ""),
                Json.word(job.path("error").path("code"), ""),
                results.isEmpty() ? List.of() : List.of(results),
                answer.retryAfterMillis());
    }

    private static JobState stateOf(String status) {
        return switch (status.toLowerCase(Locale.ROOT)) {
            case "submitted", "queued", "pending", "running", "in_progress", "processing" ->
                    JobState.RUNNING;
            case "completed" -> JobState.COMPLETED;
            case "failed" -> JobState.FAILED;
            case "expired" -> JobState.EXPIRED;
            case "cancelled" -> JobState.CANCELLED;
            default -> JobState.UNKNOWN;
        };
    }
}
