package io.asyncbatch.flink.batchapi.client;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodySubscribers;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import javax.annotation.Nullable;

/**
 * Single HTTP calls to one server, each with a deadline and a bound on its answer, whose failures
 * say what to do next. Thread-safe.
 */
final class HttpCalls implements AutoCloseable {

    private static final int MOST_JSON_BYTES = 8 * 1024 * 1024;

    /** A transfer of a file has this many times the time of a call. */
    private static final int TRANSFER_FACTOR = 10;

    private final Endpoint endpoint;
    private final Optional<String> apiKey;
    private final Duration timeout;
    private final long mostResultBytes;
    private final InstantSource clock;
    private final ExecutorService threads;
    private final HttpClient client;

    /** A JSON answer. */
    record Answer(JsonNode body, long retryAfterMillis) {}

    HttpCalls(
            Endpoint endpoint,
            Optional<String> apiKey,
            Duration timeout,
            long mostResultBytes,
            InstantSource clock) {
        this.endpoint = endpoint;
        this.apiKey = apiKey;
        this.timeout = timeout;
        this.mostResultBytes = mostResultBytes;
        this.clock = clock;
        AtomicInteger number = new AtomicInteger();
        this.threads =
                Executors.newCachedThreadPool(
                        task -> {
                            Thread thread =
                                    new Thread(task, "batch-api-" + number.incrementAndGet());
                            thread.setDaemon(true);
                            return thread;
                        });
        this.client =
                HttpClient.newBuilder()
                        .version(HttpClient.Version.HTTP_1_1)
                        .followRedirects(HttpClient.Redirect.NEVER)
                        .connectTimeout(timeout)
                        .executor(threads)
                        .build();
    }

    Endpoint endpoint() {
        return endpoint;
    }

    CompletableFuture<Answer> get(URI address) {
        return json(request(address, timeout).GET().build(), timeout);
    }

    CompletableFuture<Answer> post(URI address, BodyPublisher body, String contentType) {
        return post(address, body, contentType, null);
    }

    /**
     * @param idempotencyKey under which the server may recognise a repetition
     */
    CompletableFuture<Answer> post(
            URI address, BodyPublisher body, String contentType, @Nullable String idempotencyKey) {
        Duration deadline =
                contentType.startsWith("multipart/")
                        ? timeout.multipliedBy(TRANSFER_FACTOR)
                        : timeout;
        HttpRequest.Builder request =
                request(address, deadline).header("Content-Type", contentType).POST(body);
        if (idempotencyKey != null) {
            request.header("Idempotency-Key", idempotencyKey);
        }
        return json(request.build(), deadline);
    }

    /** Fetches what is no JSON document into an empty file. */
    CompletableFuture<Void> download(URI address, Path target) {
        Duration deadline = timeout.multipliedBy(TRANSFER_FACTOR);
        HttpRequest request = request(address, deadline).GET().build();
        BodyHandler<byte[]> toFile =
                answer ->
                        answer.statusCode() == 200
                                ? new LimitedBody<>(
                                        BodySubscribers.mapping(
                                                BodySubscribers.ofFile(
                                                        target,
                                                        StandardOpenOption.WRITE,
                                                        StandardOpenOption.TRUNCATE_EXISTING),
                                                file -> new byte[0]),
                                        mostResultBytes)
                                : inMemory();
        return send(request, toFile, deadline)
                .thenApply(
                        answer -> {
                            requireSuccess(request, answer);
                            requireNoPage(request, answer);
                            return null;
                        });
    }

    private HttpRequest.Builder request(URI address, Duration deadline) {
        HttpRequest.Builder builder =
                HttpRequest.newBuilder(address)
                        .timeout(deadline)
                        .header("Accept", "application/json, application/jsonl, */*;q=0.1")
                        .header("User-Agent", "flink-async-batch");
        apiKey.ifPresent(key -> builder.header("Authorization", "Bearer " + key));
        return builder;
    }

    private CompletableFuture<Answer> json(HttpRequest request, Duration deadline) {
        return send(request, answer -> inMemory(), deadline)
                .thenApply(
                        answer -> {
                            requireSuccess(request, answer);
                            requireNoPage(request, answer);
                            return new Answer(parse(request, answer.body()), retryAfter(answer));
                        });
    }

    private <T> CompletableFuture<HttpResponse<T>> send(
            HttpRequest request, BodyHandler<T> handler, Duration deadline) {
        CompletableFuture<HttpResponse<T>> call = client.sendAsync(request, handler);
        // The client's own deadline ends with the headers; a body may still trickle for ever.
        return call.copy()
                .orTimeout(deadline.toMillis(), TimeUnit.MILLISECONDS)
                .exceptionally(
                        failure -> {
                            call.cancel(true);
                            throw new CompletionException(explain(request, failure));
                        });
    }

    private static LimitedBody<byte[]> inMemory() {
        return new LimitedBody<>(BodySubscribers.ofByteArray(), MOST_JSON_BYTES);
    }

    private BatchApiException explain(HttpRequest request, Throwable failure) {
        Throwable cause = failure;
        while (cause instanceof CompletionException && cause.getCause() != null) {
            cause = cause.getCause();
        }
        for (Throwable link = cause; link != null; link = link.getCause()) {
            if (link instanceof BatchApiException known) {
                return known;
            }
        }
        String reason =
                cause instanceof TimeoutException
                        ? "no answer in time"
                        : cause.getClass().getSimpleName();
        return BatchApiException.transientFailure(describe(request) + ": " + reason, cause);
    }

    private void requireSuccess(HttpRequest request, HttpResponse<byte[]> answer) {
        int status = answer.statusCode();
        if (status >= 200 && status < 300) {
            return;
        }
        String message = describe(request) + ": HTTP " + status + errorCode(answer.body());
        if (status >= 300 && status < 400) {
            throw new CompletionException(
                    BatchApiException.fatal(message + "; redirects are not followed"));
        }
        if (status == 401 || status == 403) {
            throw new CompletionException(
                    BatchApiException.fatal(
                            message
                                    + "; see ml.batch.api-key.env for where the key is looked for"
                                    + (apiKey.isPresent() ? "" : " (none was found)")));
        }
        boolean passing = status >= 500 || status == 408 || status == 409 || status == 425;
        if (passing || status == 429) {
            throw new CompletionException(
                    BatchApiException.transientFailure(message, retryAfter(answer)));
        }
        throw new CompletionException(BatchApiException.rejected(message));
    }

    /** A proxy in between, or a login page, answers 200 with HTML. */
    private void requireNoPage(HttpRequest request, HttpResponse<?> answer) {
        String type = answer.headers().firstValue("Content-Type").orElse("");
        if (type.toLowerCase(Locale.ROOT).contains("html")) {
            throw new CompletionException(
                    BatchApiException.transientFailure(
                            describe(request) + ": got an HTML page where JSON was expected", 0));
        }
    }

    private JsonNode parse(HttpRequest request, byte[] body) {
        try {
            JsonNode node = Json.MAPPER.readTree(body);
            if (node.isObject()) {
                return node;
            }
        } catch (JsonProcessingException e) {
            // Falls through without the cause, whose message quotes the body.
        } catch (IOException e) {
            throw new CompletionException(e);
        }
        throw new CompletionException(
                BatchApiException.transientFailure(
                        describe(request) + ": the answer is no JSON object", 0));
    }

    private long retryAfter(HttpResponse<?> answer) {
        return RetryAfter.millis(
                answer.headers().firstValue("Retry-After"),
                answer.headers().firstValue("Date"),
                clock.instant());
    }

    private String describe(HttpRequest request) {
        return request.method() + " " + endpoint + request.uri().getRawPath();
    }

    /** The error's code alone: its text may quote a request, or part of the key. */
    private static String errorCode(byte[] body) {
        try {
            JsonNode error = Json.MAPPER.readTree(body).path("error");
            String code = Json.word(error.path("code"), Json.word(error.path("type"), ""));
            return code.isEmpty() ? "" : " (" + code + ")";
        } catch (IOException notJson) {
            return "";
        }
    }

    /** The client's own thread ends once nothing refers to the client any more. */
    @Override
    public void close() {
        threads.shutdownNow();
    }
}
