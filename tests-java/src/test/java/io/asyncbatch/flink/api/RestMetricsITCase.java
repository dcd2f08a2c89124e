package io.asyncbatch.flink.api;

import static io.asyncbatch.flink.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.RichAsyncBatchFunction;
import io.asyncbatch.flink.metrics.DocumentedMetrics;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.JobID;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MetricOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.metrics.Counter;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.test.junit5.InjectMiniCluster;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The documented metrics of a running job, as a dashboard reads them. */
@Timeout(120)
class RestMetricsITCase {

    private static final int BATCH = 4;
    private static final String OPERATOR = "0.judge.";

    @RegisterExtension
    static final MiniClusterExtension CLUSTER =
            new MiniClusterExtension(
                    new MiniClusterResourceConfiguration.Builder()
                            .setConfiguration(freshMetrics())
                            .setNumberTaskManagers(1)
                            .setNumberSlotsPerTaskManager(1)
                            .build());

    private final HttpClient http = HttpClient.newHttpClient();
    private final ObjectMapper json = new ObjectMapper();

    @ParameterizedTest
    @EnumSource
    void theDocumentedMetricsAreServed(Ordering ordering, @InjectMiniCluster MiniCluster cluster)
            throws Exception {
        StreamExecutionEnvironment env = Jobs.environment();
        ordering.apply(
                        env.fromSequence(1, Long.MAX_VALUE - 1),
                        new Counting(),
                        Jobs.batchesOf(BATCH).capacity(2).build())
                .name("judge")
                .sinkTo(new DiscardingSink<>());
        JobClient job = env.executeAsync();
        try {
            URI metrics = metricsOf(cluster, job.getJobID());
            await().until(
                            () ->
                                    value(metrics, "totalBatchesProcessed") > 0
                                            && value(metrics, "batchSize_max") > 0);
            assertThat(value(metrics, "batchSize_min")).isEqualTo(BATCH);
            assertThat(value(metrics, "batchSize_max")).isEqualTo(BATCH);
            assertThat(value(metrics, "batchesClosedBySize")).isPositive();
            assertThat(value(metrics, "batchesFailedByException")).isZero();
            assertThat(value(metrics, "inflightBatches")).isBetween(0.0, 2.0);
            assertThat(value(metrics, "callsOfMine")).isPositive();

            Map<String, String> documented = DocumentedMetrics.kindsUnder("The operator");
            assertThat(documented).hasSizeGreaterThan(20);
            List<String> served = served(metrics);
            documented.forEach(
                    (name, kind) ->
                            assertThat(served)
                                    .contains(
                                            OPERATOR
                                                    + name
                                                    + (kind.equals("histogram") ? "_p99" : "")));
        } finally {
            job.cancel().get();
        }
    }

    /** The job is one chain of operators, that is, one vertex. */
    private URI metricsOf(MiniCluster cluster, JobID job) throws Exception {
        URI jobs = cluster.getRestAddress().get().resolve("/jobs/" + job + "/");
        // While a job initializes it is known, and has none yet.
        await().until(() -> !get(jobs.resolve(".")).path("vertices").isEmpty());
        String vertex = get(jobs.resolve(".")).get("vertices").get(0).get("id").asText();
        return jobs.resolve("vertices/" + vertex + "/metrics");
    }

    private List<String> served(URI metrics) throws Exception {
        return get(metrics).findValuesAsText("id");
    }

    /** NaN as long as there is none. */
    private double value(URI metrics, String name) throws Exception {
        JsonNode answer = get(URI.create(metrics + "?get=" + OPERATOR + name));
        return answer.isEmpty() ? Double.NaN : answer.get(0).get("value").asDouble();
    }

    private JsonNode get(URI address) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(address).build();
        return json.readTree(http.send(request, HttpResponse.BodyHandlers.ofString()).body());
    }

    private static Configuration freshMetrics() {
        Configuration configuration = new Configuration();
        configuration.set(MetricOptions.METRIC_FETCHER_UPDATE_INTERVAL, Duration.ofMillis(50));
        return configuration;
    }

    private static final class Counting extends RichAsyncBatchFunction<Long, Long> {

        private transient Counter calls;

        @Override
        public void asyncInvokeBatch(List<Long> rows, ResultFuture<Long> future) {
            if (calls == null) {
                calls = getRuntimeContext().getMetricGroup().counter("callsOfMine");
            }
            calls.inc();
            future.complete(rows);
        }
    }
}
