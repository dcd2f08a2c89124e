package io.asyncbatch.flink.batchapi;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.annotation.Nullable;

/**
 * A Batch API on loopback, in both shapes, that misbehaves on demand. Every job is completed when
 * it is asked for the third time; the result of a request is its body, with {@code n} doubled.
 * Thread-safe.
 */
public final class BatchApiStub implements AutoCloseable {

    private static final ObjectMapper JSON = new ObjectMapper();

    /** What happens instead of the usual; answers for itself. */
    @FunctionalInterface
    public interface Fault {
        /**
         * @param usual does what would have been done, without an answer
         */
        void answer(HttpExchange exchange, Usual usual) throws IOException;
    }

    /** What would have been done. */
    @FunctionalInterface
    public interface Usual {
        void happen() throws IOException;
    }

    /** A request as it came. */
    public record Request(String line, Map<String, List<String>> headers, String body) {
        public String header(String name) {
            List<String> values = headers.get(name);
            return values == null ? null : values.get(0);
        }
    }

    /** One job. */
    public static final class Job {
        public final String id;
        public final String key;
        public final List<JsonNode> lines;

        /** Whether it was created after the client that asked for it was followed by another. */
        public final boolean late;

        public String status = "validating";
        public String outputFile;
        public String errorFile;
        private final long createdAt;
        private int asked;

        private Job(String id, String key, List<JsonNode> lines, boolean late, long createdAt) {
            this.id = id;
            this.key = key;
            this.lines = lines;
            this.late = late;
            this.createdAt = createdAt;
        }
    }

    private final HttpServer server;
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final CountDownLatch closing = new CountDownLatch(1);
    private final Map<String, Job> jobs = new LinkedHashMap<>();
    private final Map<String, String> files = new LinkedHashMap<>();
    private final List<Request> requests = new ArrayList<>();
    private final Map<String, Queue<Fault>> faults = new LinkedHashMap<>();
    private Function<String, Fault> chaos = line -> null;
    private BiFunction<BatchApiStub, Job, Void> ending = BatchApiStub::complete;

    /** Most jobs of a page. */
    public volatile int pageSize = 100;

    /** Months ahead of any client, so that no jump of it makes a job older than its batch. */
    private long now = System.currentTimeMillis() / 1_000 + 10_000_000L;

    private int clients;
    private boolean holdsNextCreation;
    @Nullable private String heldKey;

    public BatchApiStub() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(threads);
        server.createContext("/", this::handle);
        server.start();
    }

    /** Without the shape's own path. */
    public String address() {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    /** Where OpenAI's shape begins. */
    public String openAi() {
        return address() + "/v1";
    }

    // --------------------------------------------------------------- the test

    /**
     * Has the next request of a kind go wrong.
     *
     * @param line method and path, such as {@code POST /v1/batches}
     */
    public synchronized BatchApiStub fault(String line, Fault fault) {
        faults.computeIfAbsent(line, any -> new ArrayDeque<>()).add(fault);
        return this;
    }

    /** Has requests go wrong for which there is a fault. */
    public synchronized void chaos(Function<String, Fault> some) {
        chaos = some;
    }

    /** What happens to a job when its time has come. */
    public synchronized void ending(BiFunction<BatchApiStub, Job, Void> some) {
        ending = some;
    }

    public synchronized List<Job> jobs() {
        return List.copyOf(jobs.values());
    }

    public synchronized List<Request> requests() {
        return List.copyOf(requests);
    }

    /**
     * Says that there is another client, in place of the one before.
     *
     * @return the key of the API by which it is known
     */
    public synchronized String nextClient() {
        return "client-" + ++clients;
    }

    /** Has the next creation of a job wait until the same is asked for again. */
    public synchronized void holdNextCreation() {
        holdsNextCreation = true;
    }

    /** Moves the clock of the provider, forward or back. */
    public synchronized void moveClock(long seconds) {
        now += seconds;
    }

    public static Fault status(int status, String... headers) {
        return (exchange, usual) -> {
            for (int header = 0; header < headers.length; header += 2) {
                exchange.getResponseHeaders().add(headers[header], headers[header + 1]);
            }
            send(exchange, status, "application/json", "{\"error\":{\"code\":\"some_code\"}}");
        };
    }

    public static Fault answer(int status, String type, String body) {
        return (exchange, usual) -> send(exchange, status, type, body);
    }

    /** It happens, and the connection ends without an answer. */
    public static Fault answerLost() {
        return (exchange, usual) -> {
            usual.happen();
            exchange.close();
        };
    }

    /** Nothing happens, and no answer comes. */
    public Fault silence() {
        return (exchange, usual) -> {
            try {
                closing.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        };
    }

    /** An answer that goes on until the client has enough of it. */
    public static Fault endless(byte[] beginning, char filler) {
        return (exchange, usual) -> {
            byte[] more = String.valueOf(filler).repeat(8_192).getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().add("Content-Type", "application/json");
            exchange.sendResponseHeaders(200, 0);
            try (OutputStream body = exchange.getResponseBody()) {
                body.write(beginning);
                while (true) {
                    body.write(more);
                }
            } catch (IOException gone) {
                exchange.close();
            }
        };
    }

    /** An answer that never stops to come, a byte now and then. */
    public Fault drip() {
        return (exchange, usual) -> {
            exchange.getResponseHeaders().add("Content-Type", "application/json");
            exchange.sendResponseHeaders(200, 0);
            try {
                while (!closing.await(20, TimeUnit.MILLISECONDS)) {
                    exchange.getResponseBody().write(' ');
                    exchange.getResponseBody().flush();
                }
            } catch (IOException gone) {
                exchange.close();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        };
    }

    /** The first half of an answer that was to be longer. */
    public static Fault brokenOff(String half) {
        return (exchange, usual) -> {
            byte[] bytes = half.getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(200, bytes.length + 100L);
            exchange.getResponseBody().write(bytes);
            exchange.getResponseBody().flush();
            exchange.close();
        };
    }

    /** Every request answered. */
    public Void complete(Job job) {
        return end(job, "completed", resultsOf(job, job.lines.size()), null);
    }

    /** The results of a job's first requests. */
    public static String resultsOf(Job job, int most) {
        StringBuilder results = new StringBuilder();
        for (JsonNode line : job.lines.subList(0, most)) {
            results.append(result(line)).append('\n');
        }
        return results.toString();
    }

    /** In the shape in which the request came. */
    public static String result(JsonNode request) {
        boolean openAi = request.has("body");
        ObjectNode body = request.get(openAi ? "body" : "input").deepCopy();
        body.put("n", 2 * body.get("n").asLong());
        ObjectNode line = JSON.createObjectNode().put("custom_id", id(request));
        if (openAi) {
            line.putNull("error").putObject("response").put("status_code", 200).set("body", body);
        } else {
            line.set("output", body);
        }
        return line.toString();
    }

    public static String id(JsonNode request) {
        return request.get("custom_id").asText();
    }

    /**
     * @param output null for none
     * @param errors null for none
     */
    public synchronized Void end(Job job, String status, String output, String errors) {
        job.status = status;
        job.outputFile = output == null ? null : store(output);
        job.errorFile = errors == null ? null : store(errors);
        return null;
    }

    // --------------------------------------------------------------- requests

    private void handle(HttpExchange exchange) throws IOException {
        String line = exchange.getRequestMethod() + " " + exchange.getRequestURI().getPath();
        byte[] bytes = exchange.getRequestBody().readAllBytes();
        Request request =
                new Request(
                        exchange.getRequestMethod() + " " + exchange.getRequestURI(),
                        exchange.getRequestHeaders(),
                        new String(bytes, StandardCharsets.UTF_8));
        Fault fault;
        synchronized (this) {
            requests.add(request);
            Queue<Fault> planned = faults.get(line);
            fault = planned == null || planned.isEmpty() ? chaos.apply(line) : planned.remove();
        }
        if (fault != null) {
            fault.answer(exchange, () -> happen(request));
            return;
        }
        try {
            Answer answer = happen(request);
            send(exchange, answer.status, answer.type, answer.body);
        } catch (RuntimeException e) {
            send(exchange, 500, "text/plain", e.toString());
        }
    }

    /** The lock is given up while it waits. */
    private void holdIfWanted(String key) throws IOException {
        if (key.equals(heldKey)) {
            heldKey = null;
            notifyAll();
        } else if (holdsNextCreation) {
            holdsNextCreation = false;
            heldKey = key;
            try {
                while (key.equals(heldKey) && closing.getCount() > 0) {
                    wait();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException(e);
            }
        }
    }

    private boolean isOfNewestClient(Request request) {
        String client = request.header("Authorization");
        return client == null || client.equals("Bearer client-" + clients);
    }

    private record Answer(int status, String type, String body) {
        static Answer json(JsonNode body) {
            return new Answer(200, "application/json", body.toString());
        }
    }

    private synchronized Answer happen(Request request) throws IOException {
        String line = request.line();
        Matcher path;
        if (line.equals("POST /v1/files")) {
            return Answer.json(JSON.createObjectNode().put("id", store(fileIn(request))));
        } else if (line.equals("POST /v1/batches")) {
            JsonNode body = JSON.readTree(request.body());
            String content = files.get(body.get("input_file_id").asText());
            if (content == null) {
                return new Answer(404, "application/json", "{\"error\":{\"code\":\"no_file\"}}");
            }
            String key = body.get("metadata").get("async_batch_key").asText();
            holdIfWanted(key);
            return Answer.json(describe(create(key, content, request)));
        } else if (line.startsWith("GET /v1/batches?")) {
            return Answer.json(list(line));
        } else if ((path = matcher("POST /v1/batches/([^/]+)/cancel", line)).matches()) {
            Job job = jobs.get(path.group(1));
            end(job, "cancelled", resultsOf(job, job.lines.size() / 2), null);
            return Answer.json(describe(job));
        } else if ((path = matcher("GET /v1/batches/([^/]+)", line)).matches()) {
            return Answer.json(describe(asked(path.group(1))));
        } else if ((path = matcher("GET /v1/files/([^/]+)/content", line)).matches()) {
            return new Answer(200, "application/octet-stream", files.get(path.group(1)));
        } else if (line.equals("POST /ml/api/batch_predict")) {
            String key = request.header("Idempotency-key");
            for (Job job : jobs.values()) {
                if (job.key.equals(key)) {
                    return Answer.json(describeSimply(job));
                }
            }
            return Answer.json(describeSimply(create(key, fileIn(request), request)));
        } else if ((path = matcher("GET /ml/api/batch/status/([^/]+)", line)).matches()) {
            return Answer.json(describeSimply(asked(path.group(1))));
        } else if ((path = matcher("GET /ml/api/results/([^/]+)", line)).matches()) {
            return new Answer(200, "application/jsonl", files.get(path.group(1)));
        }
        return new Answer(404, "application/json", "{\"error\":{\"code\":\"not_found\"}}");
    }

    private static Matcher matcher(String pattern, String line) {
        return Pattern.compile(pattern).matcher(line);
    }

    private Job create(String key, String content, Request request) throws IOException {
        List<JsonNode> lines = new ArrayList<>();
        for (String line : content.split("\n")) {
            lines.add(JSON.readTree(line));
        }
        Job job = new Job("batch_" + jobs.size(), key, lines, !isOfNewestClient(request), now++);
        jobs.put(job.id, job);
        return job;
    }

    private Job asked(String id) {
        Job job = jobs.get(id);
        job.asked++;
        if (job.status.equals("validating") || job.status.equals("in_progress")) {
            if (job.asked >= 3) {
                ending.apply(this, job);
            } else {
                job.status = "in_progress";
            }
        }
        return job;
    }

    private JsonNode list(String line) {
        Matcher after = Pattern.compile(".*[?&]after=([^&]+).*").matcher(line);
        Matcher limit = Pattern.compile(".*[?&]limit=(\\d+).*").matcher(line);
        int most = Math.min(limit.matches() ? Integer.parseInt(limit.group(1)) : 20, pageSize);
        List<Job> newestFirst = new ArrayList<>(jobs.values());
        Collections.reverse(newestFirst);
        int from = 0;
        if (after.matches()) {
            from = newestFirst.indexOf(jobs.get(after.group(1))) + 1;
        }
        int to = Math.min(newestFirst.size(), from + most);
        ObjectNode answer = JSON.createObjectNode().put("object", "list");
        ArrayNode data = answer.putArray("data");
        newestFirst.subList(from, to).forEach(job -> data.add(describe(job)));
        return answer.put("has_more", to < newestFirst.size());
    }

    private ObjectNode describe(Job job) {
        ObjectNode answer =
                JSON.createObjectNode()
                        .put("id", job.id)
                        .put("object", "batch")
                        .put("status", job.status)
                        .put("created_at", job.createdAt)
                        .put("output_file_id", job.outputFile)
                        .put("error_file_id", job.errorFile);
        answer.putObject("metadata").put("async_batch_key", job.key);
        return answer;
    }

    private ObjectNode describeSimply(Job job) {
        ObjectNode answer = JSON.createObjectNode().put("id", job.id).put("status", job.status);
        if (job.outputFile != null) {
            answer.put("results_url", "/ml/api/results/" + job.outputFile);
        }
        return answer;
    }

    private String store(String content) {
        String id = "file-" + files.size();
        files.put(id, content);
        return id;
    }

    private static String fileIn(Request form) {
        Matcher file =
                Pattern.compile(
                                "filename=\"[^\"]*\"\r\n[^\r]*\r\n\r\n(.*)\r\n--async-batch",
                                Pattern.DOTALL)
                        .matcher(form.body());
        if (!file.find()) {
            throw new IllegalArgumentException("no file in the form");
        }
        return file.group(1);
    }

    private static void send(HttpExchange exchange, int status, String type, String body)
            throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", type);
        exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
        try (OutputStream answer = exchange.getResponseBody()) {
            answer.write(bytes);
        }
    }

    @Override
    public void close() {
        closing.countDown();
        server.stop(0);
        threads.shutdownNow();
    }
}
