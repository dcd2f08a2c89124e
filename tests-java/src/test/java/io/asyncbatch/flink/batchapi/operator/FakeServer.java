package io.asyncbatch.flink.batchapi.operator;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.asyncbatch.flink.batchapi.client.ApiLimits;
import io.asyncbatch.flink.batchapi.client.BatchApi;
import io.asyncbatch.flink.batchapi.client.BatchApiException;
import io.asyncbatch.flink.batchapi.client.JobPage;
import io.asyncbatch.flink.batchapi.client.JobRequest;
import io.asyncbatch.flink.batchapi.client.JobState;
import io.asyncbatch.flink.batchapi.client.JobStatus;
import io.asyncbatch.flink.batchapi.client.ResultLine;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * A provider that outlives the operators that use it. Answers at once unless told otherwise; used
 * by the test's thread. A row's result is ten times the row.
 */
final class FakeServer {

    /** What is asked of a provider. */
    enum Call {
        UPLOAD,
        CREATE,
        STATUS,
        LIST,
        CANCEL,
        FETCH
    }

    /** How a call goes wrong. */
    enum Fault {
        /** Nothing happens, and the caller is told so. */
        FAILS,
        /** It happens, and the caller is told that it did not. */
        ANSWER_LOST,
        /** It happens, and the caller hears nothing. */
        ANSWER_PENDING,
        REJECTED,
        FATAL
    }

    /** A job and what it is made of. */
    static final class Job {
        final String id;
        final String key;
        final String batchNumber;

        /** Rows by id. */
        final Map<String, Integer> rows;

        JobState state = JobState.RUNNING;
        String errorCode = "";
        List<String> resultFiles = new ArrayList<>();
        long createdAtMillis;

        Job(String id, String key, String batchNumber, Map<String, Integer> rows) {
            this.id = id;
            this.key = key;
            this.batchNumber = batchNumber;
            this.rows = rows;
        }

        List<Integer> values() {
            return List.copyOf(rows.values());
        }
    }

    private static final ObjectMapper JSON = new ObjectMapper();

    final Map<String, Job> jobs = new LinkedHashMap<>();
    final List<Call> calls = new ArrayList<>();
    final Map<Call, ArrayDeque<Fault>> faults = new EnumMap<>(Call.class);
    final List<CompletableFuture<?>> pending = new ArrayList<>();
    private final Map<String, String> files = new HashMap<>();
    long retryAfterMillis;
    int pageSize = 2;
    boolean completesAtOnce;
    ApiLimits limits = new ApiLimits(50_000, 200_000_000);

    // --------------------------------------------------------------- the test

    FakeServer fault(Call call, Fault... some) {
        faults.computeIfAbsent(call, any -> new ArrayDeque<>()).addAll(List.of(some));
        return this;
    }

    long count(Call call) {
        return calls.stream().filter(call::equals).count();
    }

    Job job(int index) {
        return List.copyOf(jobs.values()).get(index);
    }

    List<Job> running() {
        return jobs.values().stream().filter(job -> !job.state.isFinal()).toList();
    }

    void complete(Job job) {
        end(job, JobState.COMPLETED, lines(job, Integer.MAX_VALUE));
    }

    void complete(int index) {
        complete(job(index));
    }

    /** Ends a job with a file of results of the test's own. */
    void end(Job job, JobState state, String results) {
        job.state = state;
        job.resultFiles.add(store(results));
    }

    /** The results of a job's first rows. */
    static String lines(Job job, int most) {
        return job.rows.entrySet().stream()
                .limit(most)
                .map(row -> line(row.getKey(), String.valueOf(row.getValue() * 10)))
                .collect(Collectors.joining());
    }

    static String line(String customId, String body) {
        return "{\"id\":\"" + customId + "\",\"body\":" + body + "}\n";
    }

    static String error(String customId, String code) {
        return "{\"id\":\"" + customId + "\",\"error\":\"" + code + "\"}\n";
    }

    private String store(String content) {
        String id = "file-" + files.size();
        files.put(id, content);
        return id;
    }

    // ------------------------------------------------------------- the client

    BatchApi client() {
        return new Client();
    }

    private <T> CompletableFuture<T> answer(Call call, Supplier<T> effect) {
        calls.add(call);
        ArrayDeque<Fault> left = faults.get(call);
        Fault fault = left == null ? null : left.poll();
        if (fault == null) {
            return CompletableFuture.completedFuture(effect.get());
        }
        switch (fault) {
            case FAILS:
                return CompletableFuture.failedFuture(
                        BatchApiException.transientFailure("HTTP 503", retryAfterMillis));
            case ANSWER_LOST:
                effect.get();
                return CompletableFuture.failedFuture(
                        BatchApiException.transientFailure("no answer in time", retryAfterMillis));
            case ANSWER_PENDING:
                effect.get();
                CompletableFuture<T> never = new CompletableFuture<>();
                pending.add(never);
                return never;
            case REJECTED:
                return CompletableFuture.failedFuture(BatchApiException.rejected("HTTP 404"));
            default:
                return CompletableFuture.failedFuture(BatchApiException.fatal("HTTP 401"));
        }
    }

    private JobStatus statusOf(Job job) {
        return new JobStatus(
                job.id,
                job.state,
                job.state.name(),
                job.errorCode,
                List.copyOf(job.resultFiles),
                retryAfterMillis);
    }

    private JobPage page(int from) {
        List<Job> newestFirst = new ArrayList<>(jobs.values());
        Collections.reverse(newestFirst);
        int to = Math.min(from + pageSize, newestFirst.size());
        return new JobPage(
                newestFirst.subList(from, to).stream()
                        .map(job -> new JobPage.Listed(job.key, job.createdAtMillis, statusOf(job)))
                        .toList(),
                to < newestFirst.size() ? String.valueOf(to) : null);
    }

    private Job newJob(JobRequest request) {
        Map<String, Integer> rows = new LinkedHashMap<>();
        for (String line : files.get(request.fileId()).lines().toList()) {
            JsonNode node = read(line);
            rows.put(node.get("id").asText(), node.get("body").asInt());
        }
        Job job = new Job("job-" + jobs.size(), request.key(), request.batchNumber(), rows);
        jobs.put(job.id, job);
        if (completesAtOnce) {
            complete(job);
        }
        return job;
    }

    private static JsonNode read(String line) {
        try {
            return JSON.readTree(line);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private final class Client implements BatchApi {

        @Override
        public ApiLimits limits() {
            return limits;
        }

        @Override
        public byte[] requestLine(String customId, String body) {
            return line(customId, body).getBytes(StandardCharsets.UTF_8);
        }

        @Override
        public boolean uploadsFilesFirst() {
            return true;
        }

        @Override
        public CompletableFuture<String> upload(Path file, String name) {
            return answer(Call.UPLOAD, () -> store(reading(() -> Files.readString(file))));
        }

        @Override
        public CompletableFuture<JobStatus> create(JobRequest request) {
            return answer(Call.CREATE, () -> statusOf(newJob(request)));
        }

        @Override
        public CompletableFuture<JobStatus> status(String jobId) {
            return answer(Call.STATUS, () -> statusOf(jobs.get(jobId)));
        }

        @Override
        public boolean listsJobs() {
            return true;
        }

        @Override
        public CompletableFuture<JobPage> list(String cursor) {
            return answer(Call.LIST, () -> page(cursor == null ? 0 : Integer.parseInt(cursor)));
        }

        @Override
        public CompletableFuture<JobStatus> cancel(String jobId) {
            return answer(
                    Call.CANCEL,
                    () -> {
                        Job job = jobs.get(jobId);
                        end(job, JobState.CANCELLED, lines(job, job.rows.size() / 2));
                        return statusOf(job);
                    });
        }

        @Override
        public CompletableFuture<Void> fetch(String resultFile, Path target) {
            return answer(
                    Call.FETCH,
                    () -> {
                        reading(() -> Files.writeString(target, files.get(resultFile)));
                        return null;
                    });
        }

        @Override
        public Optional<ResultLine> result(JsonNode line) {
            if (!line.has("id")) {
                return Optional.empty();
            }
            String id = line.get("id").asText();
            return Optional.of(
                    line.has("error")
                            ? ResultLine.failure(id, line.get("error").asText(), "as it is")
                            : ResultLine.success(id, line.get("body").toString()));
        }

        @Override
        public void close() {}
    }

    private interface Reading<T> {
        T run() throws IOException;
    }

    private static <T> T reading(Reading<T> reading) {
        try {
            return reading.run();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
