package io.asyncbatch.flink.batchapi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.batchapi.BatchInferenceOptions.OnFailure;
import java.time.Duration;
import java.util.Map;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Options by their names, and what is refused. */
class BatchInferenceOptionsTest {

    private static final String ENDPOINT = "https://api.example/v1";

    private static Configuration configuration(Map<String, String> more) {
        Configuration configuration =
                Configuration.fromMap(
                        Map.of("ml.batch.enabled", "true", "ml.batch.api.endpoint", ENDPOINT));
        configuration.addAll(Configuration.fromMap(more));
        return configuration;
    }

    @Test
    void defaults() {
        BatchInferenceOptions options = BatchInferenceOptions.builder(ENDPOINT).build();
        assertThat(options.get(BatchInferenceOptions.ENABLED)).isFalse();
        assertThat(options.get(BatchInferenceOptions.SIZE)).isEqualTo(10);
        assertThat(options.get(BatchInferenceOptions.POLL_INTERVAL)).hasSeconds(10);
        assertThat(options.get(BatchInferenceOptions.LOCAL_DIR)).isEqualTo("/tmp/flink_batches");
        assertThat(options.get(BatchInferenceOptions.MAX_WAIT)).hasMinutes(10);
    }

    @Test
    void namesAreThoseOfTheConfiguration() throws Exception {
        BatchInferenceOptions options =
                BatchInferenceOptions.fromConfiguration(
                        configuration(
                                Map.of(
                                        "ml.batch.size", "500",
                                        "ml.batch.poll.interval", "3 s",
                                        "ml.batch.local.dir", "/data",
                                        "ml.batch.max.wait", "24 h",
                                        "ml.batch.on.failure", "side_output",
                                        "batch_number", "run-{job_id}-{subtask}.{number}")));
        BatchInferenceOptions copy = InstantiationUtil.clone(options);
        assertThat(copy.get(BatchInferenceOptions.SIZE)).isEqualTo(500);
        assertThat(copy.get(BatchInferenceOptions.POLL_INTERVAL)).hasSeconds(3);
        assertThat(copy.get(BatchInferenceOptions.LOCAL_DIR)).isEqualTo("/data");
        assertThat(copy.get(BatchInferenceOptions.MAX_WAIT)).hasHours(24);
        assertThat(copy.get(BatchInferenceOptions.ON_FAILURE)).isEqualTo(OnFailure.SIDE_OUTPUT);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "ml.batch.enabled | false",
                "ml.batch.size | 0",
                "ml.batch.size | -1",
                "ml.batch.poll.interval | 0 s",
                "ml.batch.max.wait | 0 s",
                "ml.batch.max.wait | 366 d",
                "ml.batch.fill.time | 0 s",
                "ml.batch.max.jobs | 0",
                "ml.batch.max.resubmissions | -1",
                "ml.batch.api.max-retries | -1",
                "ml.batch.api.retry-delay | 0 s",
                "ml.batch.api.timeout | 0 s",
                "ml.batch.api.request-url | https://elsewhere",
                "ml.batch.api.request-url | /v1/\"x",
                "ml.batch.api.endpoint | http://api.example",
                "ml.batch.api-key | sk-secret",
            })
    void refuses(String option, String value) {
        assertThatThrownBy(
                        () ->
                                BatchInferenceOptions.fromConfiguration(
                                        configuration(Map.of(option, value))))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(option)
                .hasMessageNotContaining("sk-secret");
    }

    @Test
    void theEndpointIsRequired() {
        assertThatThrownBy(
                        () ->
                                BatchInferenceOptions.fromConfiguration(
                                        Configuration.fromMap(Map.of("ml.batch.enabled", "true"))))
                .hasMessage("ml.batch.api.endpoint is required");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../{subtask}-{number}",
                "a/{subtask}-{number}",
                "{subtask}..{number}",
                "{subtask}-{number}-{other}",
                "{subtask} {number}",
                "{subtask}",
                "{number}",
                "",
                "{subtask}{number}\n",
                "{subtask}{number}0123456789012345678901234567890123456789012345678901234567890123456",
            })
    void refusesATemplateThatCouldLeadElsewhere(String template) {
        assertThatThrownBy(
                        () ->
                                BatchInferenceOptions.builder(ENDPOINT)
                                        .set(BatchInferenceOptions.BATCH_NUMBER, template)
                                        .build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("batch_number");
    }

    @Test
    void laterChangesOfTheBuilderDoNotReachOptionsThatWereBuilt() {
        BatchInferenceOptions.Builder builder = BatchInferenceOptions.builder(ENDPOINT);
        BatchInferenceOptions options = builder.build();
        builder.set(BatchInferenceOptions.MAX_WAIT, Duration.ofHours(1));
        assertThat(options.get(BatchInferenceOptions.MAX_WAIT)).hasMinutes(10);
    }

    @Test
    void refusesATopicThatIsNone() {
        assertThatThrownBy(() -> builder().set(BatchInferenceOptions.RESULTS_TOPIC, "a b").build())
                .hasMessageContaining("ml.batch.results.topic must be a topic's name")
                .hasMessageContaining("got 'a b'");
    }

    @Test
    void anOptionThatMeansNothingToItsUserIsRefused() {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        DataStream<Long> rows = env.fromSequence(1, 2);
        DataStream<SubmittedBatch> batches =
                BatchInferenceSubmitter.apply(rows, String::valueOf, builder().build());
        assertThatThrownBy(
                        () ->
                                BatchInferenceSubmitter.apply(
                                        rows,
                                        String::valueOf,
                                        builder()
                                                .set(
                                                        BatchInferenceOptions.MAX_WAIT,
                                                        Duration.ofHours(1))
                                                .build()))
                .hasMessage(
                        "ml.batch.max.wait means nothing to a submitter, which waits for no"
                                + " results; leave it out");
        assertThatThrownBy(
                        () ->
                                BatchInferenceCollector.apply(
                                        batches,
                                        (customId, response) -> response,
                                        Types.STRING,
                                        builder().set(BatchInferenceOptions.SIZE, 10).build()))
                .hasMessageContaining("ml.batch.size means nothing to a collector");
        assertThatThrownBy(
                        () ->
                                BatchInference.apply(
                                        rows,
                                        new BatchApiChaosITCase.Doubling(),
                                        builder()
                                                .set(BatchInferenceOptions.RESULTS_TOPIC, "t")
                                                .build()))
                .hasMessageContaining("ml.batch.results.topic means nothing to");
    }

    private static BatchInferenceOptions.Builder builder() {
        return BatchInferenceOptions.builder(ENDPOINT);
    }
}
