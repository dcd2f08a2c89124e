package io.asyncbatch.flink.batchapi;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.asyncbatch.flink.api.CommittedRows;
import io.asyncbatch.flink.batchapi.BatchApiStub.Job;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions.ApiShape;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.state.CheckpointListener;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Jobs whose tasks and whose provider fail at random deliver each row once and pay once. */
@Timeout(240)
class BatchApiChaosITCase {

    private static final long ROWS = 1_000;
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
    @CsvSource({"OPENAI, 1, false, 1", "OPENAI, 2, true, 2", "SIMPLE, 2, false, 3"})
    void eachRowLeavesOnceAndIsPaidOnce(
            ApiShape shape, int parallelism, boolean unaligned, long seed) throws Exception {
        CommittedRows.forget();
        TaskFailures.plan(TASK_FAILURES);
        try (BatchApiStub stub = new BatchApiStub()) {
            stub.pageSize = 7;
            Random random = new Random(seed);
            stub.chaos(line -> faultOrNull(stub, random));
            stub.ending((server, job) -> end(server, job, random));
            run(stub, shape, parallelism, unaligned);

            assertThat(CommittedRows.all().stream().sorted().toList())
                    .isEqualTo(
                            LongStream.rangeClosed(1, ROWS).map(row -> 2 * row).boxed().toList());
            assertThat(TaskFailures.left()).as("failures that did not happen").isZero();
            assertThat(jobsWithAKeyOfTheirOwn(stub)).isEqualTo(stub.jobs().size());
            try (Stream<Path> left = Files.list(directory.resolve("batches"))) {
                assertThat(left).isEmpty();
            }
        }
    }

    @SuppressWarnings("deprecation") // see PacedNumbers
    private void run(BatchApiStub stub, ApiShape shape, int parallelism, boolean unaligned)
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
                        .set(BatchInferenceOptions.LOCAL_DIR, directory + "/batches")
                        .build();
        BatchInference.apply(
                        env.addSource(new PacedNumbers(ROWS), "rows", Types.LONG),
                        new Doubling(),
                        options)
                .map(new TaskFailures())
                .sinkTo(new CommittedRows());
        env.execute();
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

    private static int jobsWithAKeyOfTheirOwn(BatchApiStub stub) {
        Set<String> keys = new HashSet<>();
        stub.jobs().forEach(job -> keys.add(job.key));
        return keys.size();
    }

    private static Configuration configuration(boolean unaligned) {
        Configuration configuration = new Configuration();
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, 50);
        // Long enough for the stub to have done what a failed task asked for: a creation that
        // happens after its job was looked for is paid twice, as ADR 14 says.
        configuration.set(
                RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_DELAY, Duration.ofMillis(200));
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
    private static final class TaskFailures implements MapFunction<Long, Long>, CheckpointListener {

        private static final long serialVersionUID = 1L;

        /** Rows between failures, so that some fall into the emission of a job. */
        private static final int ROWS_APART = 97;

        private static final AtomicInteger LEFT = new AtomicInteger();
        private static final Set<Long> SEEN = ConcurrentHashMap.newKeySet();
        private static final AtomicInteger CHECKPOINTS = new AtomicInteger();

        static void plan(int failures) {
            LEFT.set(failures);
            SEEN.clear();
            CHECKPOINTS.set(0);
        }

        static int left() {
            return LEFT.get();
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
