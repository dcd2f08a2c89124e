package io.asyncbatch.flink.sidecar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.asyncbatch.flink.Patience;
import io.asyncbatch.flink.api.Jobs;
import io.grpc.Metadata;
import io.grpc.Status;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.connector.source.lib.NumberSequenceSource;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;
import org.apache.flink.util.ExceptionUtils;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Statements of SQL that have a model server compute batches. */
@Timeout(120)
class SidecarSqlITCase {

    @RegisterExtension static final MiniClusterExtension CLUSTER = Jobs.cluster(2);

    private static final int ROWS = 200;

    @TempDir Path directory;
    private MockSidecar server;
    private StreamTableEnvironment tables;

    @BeforeEach
    void begin() throws Exception {
        server = MockSidecar.onUnixSocket(directory.resolve("s"));
        tables = tables(new Configuration());
    }

    @AfterEach
    void end() throws Exception {
        server.close();
    }

    private StreamTableEnvironment tables(Configuration configuration) {
        StreamExecutionEnvironment environment =
                configuration.contains(RestartStrategyOptions.RESTART_STRATEGY)
                        ? StreamExecutionEnvironment.getExecutionEnvironment(configuration)
                        : Jobs.environment(configuration);
        environment.setParallelism(1);
        StreamTableEnvironment created = StreamTableEnvironment.create(environment);
        created.createTemporaryView(
                "numbers",
                environment.fromSource(
                        new NumberSequenceSource(1, ROWS),
                        WatermarkStrategy.noWatermarks(),
                        "numbers"));
        return created;
    }

    private void createModel(String options) {
        tables.executeSql(
                "CREATE MODEL tens INPUT (x BIGINT) OUTPUT (y BIGINT) WITH ("
                        + "'provider' = 'async-batch', 'backend' = 'sidecar',"
                        + " 'sidecar.endpoint' = '"
                        + server.endpoint()
                        + "', 'sidecar.model-name' = '"
                        + MockSidecar.MODEL
                        + "'"
                        + options
                        + ")");
    }

    private static String predict(String map) {
        return "SELECT f0, y FROM ML_PREDICT(TABLE numbers, MODEL tens, DESCRIPTOR(f0)" + map + ")";
    }

    private List<Row> run(String statement) throws Exception {
        List<Row> rows = new ArrayList<>();
        try (CloseableIterator<Row> results = tables.executeSql(statement).collect()) {
            results.forEachRemaining(rows::add);
        }
        return rows;
    }

    private static List<Row> tens() {
        return LongStream.rangeClosed(1, ROWS)
                .mapToObj(number -> Row.of(number, 10 * number))
                .toList();
    }

    @Test
    void rowsOfATableAreComputedInBatches() throws Exception {
        createModel(", 'batch-size' = '8'");
        assertThat(run(predict(", MAP['max-concurrent-operations', '32']"))).isEqualTo(tens());
        assertThat(server.inferences).hasSizeBetween(ROWS / 8, ROWS / 2);
        assertThat(server.inferences)
                .extracting(inference -> inference.request.getInputs(0).getShape(0))
                .contains(8L)
                .allMatch(rows -> rows <= 8);
    }

    /** 200 is no multiple of 7, and nothing says that the input has ended. */
    @Test
    void aCallMayHaveItsOwnBatchesAndOrder() throws Exception {
        createModel("");
        assertThat(
                        run(
                                predict(
                                        ", MAP['batch-size', '7', 'batch-timeout', '20 ms',"
                                                + " 'max-concurrent-operations', '21',"
                                                + " 'output-mode', 'ALLOW_UNORDERED',"
                                                + " 'timeout', '1 min']")))
                .containsExactlyInAnyOrderElementsOf(tens());
        assertThat(server.mostInFlight.get()).isLessThanOrEqualTo(3);
    }

    @Test
    void columnsAndTensorsMayDiffer() throws Exception {
        tables.executeSql(
                "CREATE MODEL other INPUT (a BIGINT) OUTPUT (b BIGINT) WITH ("
                        + "'provider' = 'async-batch', 'backend' = 'sidecar',"
                        + " 'sidecar.endpoint' = '"
                        + server.endpoint()
                        + "', 'sidecar.model-name' = 'times-ten',"
                        + " 'sidecar.input.a.tensor' = 'x', 'sidecar.output.b.tensor' = 'y')");
        assertThat(
                        run(
                                "SELECT f0, b FROM ML_PREDICT(TABLE numbers, MODEL other,"
                                        + " DESCRIPTOR(f0))"))
                .isEqualTo(tens());
        assertThat(server.inferences.get(0).request.getInputs(0).getName()).isEqualTo("x");
    }

    @Test
    void aFailureEndsTheJobAsWhatItIs() {
        createModel("");
        server.behaviour =
                inference ->
                        inference.fail(
                                Status.NOT_FOUND.withDescription("unknown model"), new Metadata());
        Throwable failure = catchThrowable(() -> run(predict("")));
        assertThat(ExceptionUtils.findThrowableWithMessage(failure, "model 'times-ten' at unix://"))
                .as(() -> ExceptionUtils.stringifyException(failure))
                .isPresent();
    }

    @Test
    void failedCallsAreRepeatedAsTheModelSays() throws Exception {
        createModel(
                ", 'retry-strategy' = 'fixed_delay', 'retry-delay' = '1 ms', 'max-attempts' = '2'");
        AtomicInteger refused = new AtomicInteger();
        server.behaviour =
                inference -> {
                    if (refused.getAndIncrement() < 2) {
                        inference.fail(Status.UNAVAILABLE, new Metadata());
                    } else {
                        inference.compute();
                    }
                };
        assertThat(run(predict(""))).isEqualTo(tens());
    }

    /**
     * Flink's runner never takes back what a failed row held, so more failures than rows may be in
     * flight would stop an operator that went on. It does not go on: each failure is a new start.
     */
    @Test
    void moreFailuresThanRowsInFlightLoseNothingAndRepeatNothing() throws Exception {
        Configuration restarts = new Configuration();
        restarts.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
        restarts.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, 20);
        restarts.set(
                RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_DELAY, Duration.ofMillis(1));
        restarts.setString("execution.checkpointing.interval", "50 ms");
        tables = tables(restarts);
        createModel(", 'batch-size' = '2', 'batch-timeout' = '5 ms'");
        AtomicInteger asked = new AtomicInteger();
        server.behaviour =
                inference -> {
                    if (asked.incrementAndGet() % 5 == 0 && asked.get() <= 50) {
                        inference.fail(Status.INTERNAL, new Metadata());
                    } else {
                        inference.compute();
                    }
                };
        assertThat(run(predict(", MAP['max-concurrent-operations', '4']"))).isEqualTo(tens());
        assertThat(asked.get()).isGreaterThan(50);
    }

    @Test
    void aCancelledStatementEndsItsRequestsAndThreads() throws Exception {
        createModel("");
        server.hold();
        try (CloseableIterator<Row> results = tables.executeSql(predict("")).collect()) {
            Patience.await().until(() -> !server.inferences.isEmpty());
        }
        Patience.await().until(() -> server.openConnections.get() == 0);
        Patience.await()
                .until(
                        () ->
                                Thread.getAllStackTraces().keySet().stream()
                                        .noneMatch(
                                                thread ->
                                                        thread.getName()
                                                                .startsWith("batches of tens")));
    }

    /** What is wrong is said before a job exists, by the names that the user wrote. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                ", 'batch-siez' = '3' | Unsupported options found for 'async-batch'",
                ", 'batch-size' = '0' | 'batch-size' must be positive, got 0",
                ", 'batch-size' = '11' | 'max-concurrent-operations' = 10",
                ", 'batch-timeout' = '0 ms' | 'batch-timeout' must be between 1 ms and 365 days",
                ", 'batch-timeout' = '9223372036854775807 s' | 'batch-timeout' must be between 1 ms and 365 days",
                ", 'retry-strategy' = 'fixed_delay', 'retry-delay' = '9223372036854775807 s' | 'retry-delay' must be between 1 ms and a day",
                ", 'batch-timeout' = '4 min' | 'batch-timeout' would end 240000 ms after",
                ", 'timeout' = '3 min' | 'timeout' would end",
                ", 'max-attempts' = '3' | 'max-attempts' means nothing where 'retry-strategy'",
                ", 'retry-strategy' = 'never' | NO_RETRY",
                ", 'retry-strategy' = 'fixed_delay', 'retry-max-delay' = '1 s' | 'retry-max-delay' means nothing",
                ", 'max-concurrent-operations' = '20' | no option of a model",
                ", 'python.function' = 'a:B' | 'python.function' means nothing where 'backend' is 'sidecar'",
                ", 'sidecar.max-in-flight' = '0' | 'sidecar.max-in-flight': maxInFlight must be positive",
                ", 'sidecar.client-key-file' = 'k' | go together, and only 'sidecar.client-key-file' is given",
                ", 'sidecar.input.z.tensor' = 'x' | 'sidecar.input.z.tensor' is not an option of a column",
                ", 'sidecar.input.x.data-type' = 'INT' | must be one of [BOOL",
                ", 'sidecar.input.x.shape' = 'a' | must be dimensions such as '3,224,224', got 'a'",
            })
    void refusesOptionsByTheirNames(String options, String message) {
        createModel(options);
        assertRefused(predict(""), message);
    }

    @ParameterizedTest
    @ValueSource(strings = {"'batch-siez', '3'", "'retry-strategy', 'no_retry'"})
    void refusesKeysOfACallThatNobodyReads(String map) {
        createModel("");
        assertRefused(predict(", MAP[" + map + "]"), "has an option that nobody reads");
    }

    @Test
    void refusesBatchApisAndSaysWhatToDo() {
        tables.executeSql(
                "CREATE MODEL b INPUT (x STRING) OUTPUT (y STRING) WITH ("
                        + "'provider' = 'async-batch', 'backend' = 'batch-api',"
                        + " 'ml.batch.api.endpoint' = 'https://api.example')");
        tables.executeSql("CREATE TEMPORARY VIEW texts AS SELECT 'a' AS t");
        assertRefused(
                "SELECT * FROM ML_PREDICT(TABLE texts, MODEL b, DESCRIPTOR(t))",
                "Call io.asyncbatch.flink.table.TableBatchInference.apply, or in Python"
                        + " pyflink_async_batch.table.batch_inference");
    }

    private void assertRefused(String statement, String message) {
        assertThatThrownBy(() -> tables.explainSql(statement))
                .satisfies(
                        failure ->
                                assertThat(ExceptionUtils.stringifyException(failure))
                                        .contains(message));
    }
}
