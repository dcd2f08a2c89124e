package io.asyncbatch.flink.batchapi;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.asyncbatch.flink.api.CommittedRows;
import io.asyncbatch.flink.api.PacedNumbers;
import io.asyncbatch.flink.batchapi.BatchApiStub.Job;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions.ApiShape;
import io.asyncbatch.flink.table.TableBatchInference;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.state.CheckpointListener;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Jobs whose tasks and whose provider fail at random deliver each row once, and pay once or, as ADR
 * 14 says, once more for a creation that the provider comes to after its job was looked for.
 */
@Timeout(240)
class BatchApiChaosITCase {

    private static final long ROWS = 1_000;
    private static final int ROWS_PER_CHECKPOINT = 30;
    private static final int BATCH = 10;
    private static final int TASK_FAILURES = 8;

    @RegisterExtension
    static final MiniClusterExtension CLUSTER =
            new MiniClusterExtension(
                    new MiniClusterResourceConfiguration.Builder()
                            .setNumberTaskManagers(1)
                            .setNumberSlotsPerTaskManager(2)
                            .build());

    @TempDir Path directory;

    @ParameterizedTest
    @CsvSource({
        "OPENAI, 1, false, 1, false",
        "OPENAI, 2, true, 2, false",
        "SIMPLE, 2, false, 3, false",
        "OPENAI, 1, true, 4, true"
    })
    void eachRowLeavesOnceAndIsPaidOnce(
            ApiShape shape, int parallelism, boolean unaligned, long seed, boolean asTable)
            throws Exception {
        CommittedRows.forget();
        try (BatchApiStub stub = new BatchApiStub()) {
            TaskFailures.plan(TASK_FAILURES, stub, directory.resolve("key"));
            stub.pageSize = 7;
            stub.holdNextCreation();
            Random random = new Random(seed);
            stub.chaos(line -> faultOrNull(stub, random));
            stub.ending((server, job) -> end(server, job, random));
            run(stub, shape, parallelism, unaligned, asTable);

            assertThat(CommittedRows.all().stream().sorted().toList())
                    .isEqualTo(
                            LongStream.rangeClosed(1, ROWS).map(row -> 2 * row).boxed().toList());
            assertThat(TaskFailures.left()).as("failures that did not happen").isZero();
            assertPaidAsOftenAsAllowed(stub, shape);
            try (Stream<Path> left = Files.list(directory.resolve("batches"))) {
                assertThat(left).isEmpty();
            }
        }
    }

    /**
     * A client that comes after another looks for jobs before it creates them. So one that was
     * created before it came is found, and only one that is created later may be one too many.
     */
    private static void assertPaidAsOftenAsAllowed(BatchApiStub stub, ApiShape shape) {
        Map<String, List<Job>> byKey =
                stub.jobs().stream().collect(Collectors.groupingBy(job -> job.key));
        byKey.forEach(
                (key, jobs) ->
                        assertThat(jobs.stream().filter(job -> !job.late))
                                .as("jobs of one batch that a search must have found")
                                .hasSizeLessThanOrEqualTo(1));
        if (shape == ApiShape.SIMPLE) {
            // The server knows the key.
            assertThat(stub.jobs()).hasSameSizeAs(byKey.keySet());
        } else {
            assertThat(stub.jobs().stream().filter(job -> job.late))
                    .as("the one that was held, at least")
                    .isNotEmpty();
        }
    }

    @SuppressWarnings("deprecation") // see PacedNumbers
    private void run(
            BatchApiStub stub, ApiShape shape, int parallelism, boolean unaligned, boolean asTable)
            throws Exception {
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(configuration(unaligned));
        env.setParallelism(parallelism);
        env.enableCheckpointing(20);
        BatchInferenceOptions options =
                BatchInferenceOptions.builder(
                                shape == ApiShape.OPENAI ? stub.openAi() : stub.address())
                        .set(BatchInferenceOptions.API_SHAPE, shape)
                        .set(BatchInferenceOptions.SIZE, BATCH)
                        .set(BatchInferenceOptions.FILL_TIME, Duration.ofMillis(50))
                        .set(BatchInferenceOptions.POLL_INTERVAL, Duration.ofMillis(20))
                        .set(BatchInferenceOptions.RETRY_DELAY, Duration.ofMillis(2))
                        .set(BatchInferenceOptions.MAX_RESUBMISSIONS, 50)
                        // The client that waits for the creation that is held never repeats it.
                        .set(BatchInferenceOptions.REQUEST_TIMEOUT, Duration.ofMinutes(10))
                        .set(BatchInferenceOptions.LOCAL_DIR, directory + "/batches")
                        .set(BatchInferenceOptions.API_KEY_FILE, directory + "/key")
                        .build();
        DataStream<Long> rows =
                env.addSource(new PacedNumbers(ROWS, ROWS_PER_CHECKPOINT), "rows", Types.LONG);
        DataStream<Long> results =
                asTable
                        ? throughTable(env, rows, options)
                        : BatchInference.apply(rows, new Doubling(), options);
        results.map(new TaskFailures()).sinkTo(new CommittedRows());
        env.execute();
    }

    private static DataStream<Long> throughTable(
            StreamExecutionEnvironment env, DataStream<Long> rows, BatchInferenceOptions options) {
        StreamTableEnvironment tables = StreamTableEnvironment.create(env);
        tables.createTemporaryView("numbers", rows);
        Table asked =
                tables.sqlQuery(
                        "SELECT f0 AS id, JSON_OBJECT('n' VALUE f0) AS request FROM numbers");
        tables.createTemporaryView(
                "answered",
                TableBatchInference.apply(tables, asked, "request", "response", options));
        Table results =
                tables.sqlQuery(
                        "SELECT JSON_VALUE(response, '$.n' RETURNING INTEGER) FROM answered"
                                + " WHERE JSON_VALUE(response, '$.n' RETURNING INTEGER) = 2 * id");
        return tables.toDataStream(results)
                .map(row -> row.<Integer>getFieldAs(0).longValue())
                .returns(Types.LONG);
    }

    private static BatchApiStub.Fault faultOrNull(BatchApiStub stub, Random random) {
        synchronized (random) {
            return switch (random.nextInt(40)) {
                case 0 -> BatchApiStub.status(429, "Retry-After", "-3");
                case 1 -> BatchApiStub.status(500);
                case 2, 3 -> BatchApiStub.answerLost();
                case 4 -> BatchApiStub.answer(200, "text/html", "<html></html>");
                case 5 -> BatchApiStub.brokenOff("{\"id\":");
                default -> {
                    stub.moveClock(random.nextInt(7_200) - 3_600);
                    yield null;
                }
            };
        }
    }

    private static Void end(BatchApiStub stub, Job job, Random random) {
        synchronized (random) {
            int answered = random.nextInt(job.lines.size() + 1);
            String results = BatchApiStub.resultsOf(job, answered);
            String all = BatchApiStub.resultsOf(job, job.lines.size());
            return switch (random.nextInt(12)) {
                case 0 -> stub.end(job, "expired", results, null);
                case 1 -> stub.end(job, "failed", null, null);
                case 2 -> stub.end(job, "completed", results + results, errors(job, answered));
                case 3 -> stub.end(job, "completed", all.substring(0, all.length() / 2), null);
                case 4 -> stub.end(job, "completed", "\n" + all + "{\"custom_id\":\"x\"}\n", null);
                case 5 -> stub.end(job, "completed", null, null);
                default -> stub.complete(job);
            };
        }
    }

    private static String errors(Job job, int from) {
        StringBuilder errors = new StringBuilder();
        for (JsonNode line : job.lines.subList(from, job.lines.size())) {
            errors.append("{\"custom_id\":\"")
                    .append(BatchApiStub.id(line))
                    .append("\",\"error\":{\"code\":\"overloaded\"}}\n");
        }
        return errors.toString();
    }

    private static Configuration configuration(boolean unaligned) {
        Configuration configuration = new Configuration();
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, 50);
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_DELAY, Duration.ZERO);
        configuration.set(CheckpointingOptions.ENABLE_UNALIGNED, unaligned);
        return configuration;
    }

    /** A row is a number, its request an object with that number. */
    public static final class Doubling implements BatchCodec<Long, Long> {

        private static final long serialVersionUID = 1L;

        @Override
        public String request(Long row) {
            return "{\"n\":" + row + "}";
        }

        @Override
        public Long result(Long row, String response) {
            long result = Long.parseLong(response.replaceAll("\\D", ""));
            if (result != 2 * row) {
                throw new IllegalStateException(result + " is the result of another row");
            }
            return result;
        }
    }

    /** Fails the task after the operator, now and then, as long as failures are left. */
    private static final class TaskFailures extends RichMapFunction<Long, Long>
            implements CheckpointListener {

        private static final long serialVersionUID = 1L;

        /** Rows between failures, so that some fall into the emission of a job. */
        private static final int ROWS_APART = 97;

        private static final AtomicInteger LEFT = new AtomicInteger();
        private static final Set<Long> SEEN = ConcurrentHashMap.newKeySet();
        private static final AtomicInteger CHECKPOINTS = new AtomicInteger();

        private static BatchApiStub api;
        private static Path key;

        static synchronized void plan(int failures, BatchApiStub stub, Path keyOfApi) {
            api = stub;
            key = keyOfApi;
            LEFT.set(failures);
            SEEN.clear();
            CHECKPOINTS.set(0);
        }

        static int left() {
            return LEFT.get();
        }

        /** In a task the last operator is opened first, so the one before takes this key. */
        @Override
        public void open(OpenContext context) throws IOException {
            synchronized (TaskFailures.class) {
                Path next = Files.writeString(key.resolveSibling("next-key"), api.nextClient());
                Files.move(next, key, StandardCopyOption.ATOMIC_MOVE);
            }
        }

        @Override
        public Long map(Long row) {
            boolean isNew = SEEN.add(row);
            if (isNew && SEEN.size() % ROWS_APART == 0 && CHECKPOINTS.get() > 0 && LEFT.get() > 0) {
                LEFT.decrementAndGet();
                throw new IllegalStateException("induced failure");
            }
            return row;
        }

        @Override
        public void notifyCheckpointComplete(long checkpointId) {
            CHECKPOINTS.incrementAndGet();
        }
    }
}
