package io.asyncbatch.flink.batchapi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.asyncbatch.flink.api.Jobs;
import io.asyncbatch.flink.table.TableBatchInference;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.LongStream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.TableException;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Tables through a Batch API, with SQL before and behind. */
@Timeout(120)
class TableBatchInferenceITCase {

    private static final int ROWS = 25;

    @RegisterExtension static final MiniClusterExtension CLUSTER = Jobs.cluster(2);

    @TempDir Path directory;
    private BatchApiStub stub;
    private StreamTableEnvironment tables;

    @BeforeEach
    void begin() throws Exception {
        stub = new BatchApiStub();
        StreamExecutionEnvironment environment = Jobs.environment(new Configuration());
        environment.setParallelism(1);
        tables = StreamTableEnvironment.create(environment);
        tables.executeSql(
                ("CREATE TEMPORARY TABLE reviews (id BIGINT, made AS id * 3,"
                                + " ts AS TO_TIMESTAMP(FROM_UNIXTIME(id)), WATERMARK FOR ts AS ts)"
                                + " WITH ('connector' = 'datagen', 'number-of-rows' = '%1$d',"
                                + " 'fields.id.kind' = 'sequence', 'fields.id.start' = '1',"
                                + " 'fields.id.end' = '%1$d')")
                        .formatted(ROWS));
        set("ml.batch.enabled", "true");
        set("ml.batch.api.endpoint", stub.openAi());
        set("ml.batch.fill.time", "200 ms");
        set("ml.batch.poll.interval", "20 ms");
        set("ml.batch.local.dir", directory + "/batches");
    }

    @AfterEach
    void end() throws Exception {
        stub.close();
    }

    private void set(String option, String value) {
        tables.getConfig().set(option, value);
    }

    private BatchInferenceOptions options() {
        return BatchInferenceOptions.fromConfiguration(tables.getConfig());
    }

    private List<Row> run(String query) throws Exception {
        List<Row> rows = new ArrayList<>();
        try (CloseableIterator<Row> results = tables.executeSql(query).collect()) {
            results.forEachRemaining(rows::add);
        }
        return rows;
    }

    /**
     * The environment's configuration says how; statements make the requests and read the
     * responses.
     */
    @Test
    void statementsAreAllThatIsAroundIt() throws Exception {
        tables.executeSql(
                "CREATE TEMPORARY VIEW asked AS SELECT id, made, ts,"
                        + " JSON_OBJECT('n' VALUE id, 'text' VALUE 'grüße ' || CAST(id AS STRING))"
                        + " AS request FROM reviews");
        Table answered =
                TableBatchInference.apply(
                        tables, tables.from("asked"), "request", "response", options());
        tables.createTemporaryView("answered", answered);
        assertThat(answered.getResolvedSchema().getColumnNames())
                .containsExactly("id", "made", "ts", "request", "response");

        assertThat(
                        run(
                                "SELECT id, made, JSON_VALUE(response, '$.n' RETURNING INTEGER),"
                                        + " JSON_VALUE(response, '$.text') FROM answered"))
                .containsExactlyInAnyOrderElementsOf(
                        LongStream.rangeClosed(1, ROWS)
                                .mapToObj(n -> Row.of(n, 3 * n, (int) (2 * n), "grüße " + n))
                                .toList());
        assertThat(stub.jobs()).hasSize(3).allMatch(job -> job.lines.size() <= 10);
    }

    @Test
    void watermarksWaitForResults() throws Exception {
        tables.createTemporaryView(
                "answered",
                TableBatchInference.apply(
                        tables,
                        tables.from("reviews"),
                        new Doubling(),
                        DataTypes.ROW(DataTypes.FIELD("doubled", DataTypes.BIGINT().notNull())),
                        options()));
        List<Row> windows =
                run(
                        "SELECT window_start, COUNT(*), SUM(doubled) FROM TUMBLE(TABLE answered,"
                                + " DESCRIPTOR(ts), INTERVAL '10' SECOND)"
                                + " GROUP BY window_start, window_end");
        windows.sort(Comparator.comparing(row -> row.<LocalDateTime>getFieldAs(0)));
        assertThat(windows)
                .extracting(row -> row.getField(1), row -> row.getField(2))
                .containsExactly(tuple(9L, 90L), tuple(10L, 290L), tuple(6L, 270L));
    }

    @Test
    void whatFailsSaysSoInItsRow() throws Exception {
        set("ml.batch.on.failure", "SIDE_OUTPUT");
        set("ml.batch.max.resubmissions", "0");
        stub.ending(
                (server, job) -> server.end(job, "expired", BatchApiStub.resultsOf(job, 1), null));
        tables.executeSql(
                "CREATE TEMPORARY VIEW asked AS SELECT id, CASE WHEN id = 3 THEN"
                        + " CAST(NULL AS STRING) WHEN id = 4 THEN '{oops' ELSE"
                        + " JSON_OBJECT('n' VALUE id) END AS request FROM reviews WHERE id < 7");
        tables.createTemporaryView(
                "answered",
                TableBatchInference.apply(
                        tables, tables.from("asked"), "request", "response", options()));
        assertThat(
                        run(
                                "SELECT id, response, failure.code, failure.message,"
                                        + " failure.attempts FROM answered"))
                .extracting(row -> row.toString().replaceFirst(", [^,]*, (\\d)]$", ", $1]"))
                .containsExactlyInAnyOrder(
                        "+I[1, {\"n\":2}, null, null, null]",
                        "+I[2, null, batch_expired, 1]",
                        "+I[3, null, request_refused, 0]",
                        "+I[4, null, request_refused, 0]",
                        "+I[5, null, batch_expired, 1]",
                        "+I[6, null, batch_expired, 1]");
    }

    @Test
    void aResultThatFitsNoTypeFailsTheJobByItsColumn() {
        tables.createTemporaryView(
                "answered",
                TableBatchInference.apply(
                        tables,
                        tables.from("reviews"),
                        new Nothing(),
                        DataTypes.ROW(DataTypes.FIELD("doubled", DataTypes.BIGINT().notNull())),
                        options()));
        assertThatThrownBy(() -> run("SELECT * FROM answered"))
                .hasStackTraceContaining(
                        "The result's column 'doubled' is BIGINT NOT NULL, got none");
    }

    @Test
    void refusesTablesAndColumnsByName() {
        Table reviews = tables.from("reviews");
        assertRefused(reviews, "nobody", "r", "has no column 'nobody': it has [id, made, ts]");
        assertRefused(
                reviews,
                "id",
                "r",
                "Column 'id' must be a STRING, the request as JSON, got BIGINT");
        Table asked = tables.sqlQuery("SELECT 'x' AS request, 1 AS failure");
        assertRefused(asked, "request", "request", "already has a column 'request'");
        set("ml.batch.on.failure", "SIDE_OUTPUT");
        assertRefused(asked, "request", "r", "already has a column 'failure'");
        assertThatThrownBy(
                        () ->
                                TableBatchInference.apply(
                                        tables,
                                        reviews,
                                        new Nothing(),
                                        DataTypes.BIGINT(),
                                        options()))
                .isInstanceOf(ValidationException.class)
                .hasMessageContaining("must be a ROW, whose fields are the columns");
        assertThatThrownBy(
                        () ->
                                TableBatchInference.apply(
                                        tables,
                                        tables.sqlQuery(
                                                "SELECT 'x' AS request, COUNT(*) AS n FROM reviews"),
                                        "request",
                                        "response",
                                        options()))
                .isInstanceOf(TableException.class)
                .hasMessageContaining("update");
        set("ml.batch.results.topic", "t");
        assertThatThrownBy(
                        () ->
                                TableBatchInference.apply(
                                        tables,
                                        tables.sqlQuery("SELECT 'x' AS request"),
                                        "request",
                                        "response",
                                        options()))
                .hasMessageContaining("ml.batch.results.topic means nothing to batch inference");
    }

    private void assertRefused(Table table, String request, String response, String message) {
        assertThatThrownBy(
                        () ->
                                TableBatchInference.apply(
                                        tables, table, request, response, options()))
                .isInstanceOf(ValidationException.class)
                .hasMessageContaining(message);
    }

    /** Reads its columns by name. */
    private static final class Doubling implements BatchCodec<Row, Row> {

        private static final long serialVersionUID = 1L;

        private static final ObjectMapper JSON = new ObjectMapper();

        @Override
        public String request(Row row) {
            return "{\"n\": " + row.getField("id") + "}";
        }

        @Override
        public Row result(Row row, String response) throws Exception {
            return Row.of(JSON.readTree(response).get("n").asLong());
        }
    }

    private static final class Nothing implements BatchCodec<Row, Row> {

        private static final long serialVersionUID = 1L;

        @Override
        public String request(Row row) {
            return "{\"n\": 1}";
        }

        @Override
        public Row result(Row row, String response) {
            return Row.of((Object) null);
        }
    }
}
