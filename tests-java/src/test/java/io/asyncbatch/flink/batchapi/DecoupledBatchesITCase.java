package io.asyncbatch.flink.batchapi;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.asyncbatch.flink.api.PacedNumbers;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions.OnFailure;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.api.common.state.CheckpointListener;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.sink.TopicSelector;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.test.KafkaClusterTestKit;
import org.apache.kafka.common.test.TestKitNodes;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two jobs with a topic of Kafka's between them, whose tasks and whose provider fail: each batch is
 * submitted once and each request has one result.
 */
@Timeout(240)
class DecoupledBatchesITCase {

    private static final long ROWS = 200;
    private static final int ROWS_PER_CHECKPOINT = 30;
    private static final int BATCH = 10;
    private static final int TASK_FAILURES = 3;

    private static final String BATCHES = "batches";
    private static final String ROWS_OF_BATCHES = "rows";
    private static final String RESULTS = "results";
    private static final String FAILED = "failed";

    @RegisterExtension
    static final MiniClusterExtension CLUSTER =
            new MiniClusterExtension(
                    new MiniClusterResourceConfiguration.Builder()
                            .setNumberTaskManagers(1)
                            .setNumberSlotsPerTaskManager(2)
                            .build());

    private static KafkaClusterTestKit kafka;

    @TempDir Path directory;

    @BeforeAll
    static void startKafka() throws Exception {
        kafka =
                new KafkaClusterTestKit.Builder(
                                new TestKitNodes.Builder()
                                        .setCombined(true)
                                        .setNumControllerNodes(1)
                                        .setNumBrokerNodes(1)
                                        .build())
                        .setConfigProp("offsets.topic.replication.factor", "1")
                        .setConfigProp("offsets.topic.num.partitions", "1")
                        .setConfigProp("transaction.state.log.replication.factor", "1")
                        .setConfigProp("transaction.state.log.min.isr", "1")
                        .setConfigProp("transaction.state.log.num.partitions", "1")
                        .setConfigProp("group.initial.rebalance.delay.ms", "0")
                        .build();
        kafka.format();
        kafka.startup();
        kafka.waitForReadyBrokers();
        try (Admin admin =
                Admin.create(
                        Map.<String, Object>of("bootstrap.servers", kafka.bootstrapServers()))) {
            admin.createTopics(
                            Stream.of(BATCHES, ROWS_OF_BATCHES, RESULTS, FAILED)
                                    .map(topic -> new NewTopic(topic, 1, (short) 1))
                                    .toList())
                    .all()
                    .get();
        }
    }

    @AfterAll
    static void stopKafka() throws Exception {
        kafka.close();
    }

    @Test
    void eachRequestHasOneResultWhateverFails() throws Exception {
        try (BatchApiStub stub = new BatchApiStub()) {
            Random random = new Random(7);
            stub.chaos(line -> faultOrNull(random));
            stub.ending((server, job) -> end(server, job, random));

            InducedFailures.plan(TASK_FAILURES);
            submit(stub);
            assertThat(InducedFailures.left()).as("failures of the submitter").isZero();
            int batches = stub.jobs().size();
            assertThat(new HashSet<>(stub.jobs().stream().map(job -> job.key).toList()))
                    .as("no batch was created twice")
                    .hasSize(batches);
            assertThat(read(BATCHES)).hasSize(batches).doesNotHaveDuplicates();
            Map<String, Long> rows = rowsByCustomId();
            assertThat(rows.values())
                    .containsExactlyInAnyOrderElementsOf(
                            LongStream.rangeClosed(1, ROWS).boxed().toList());

            InducedFailures.plan(TASK_FAILURES);
            collect(stub);
            assertThat(InducedFailures.left()).as("failures of the collector").isZero();
            assertThat(stub.jobs()).as("a collector creates nothing").hasSize(batches);
            Set<String> answered = new HashSet<>();
            for (String result : read(RESULTS)) {
                String[] parts = result.split("=");
                assertThat(answered.add(parts[0])).as("one result for %s", parts[0]).isTrue();
                assertThat(Long.parseLong(parts[1])).isEqualTo(2 * rows.get(parts[0]));
            }
            List<String> failed = read(FAILED);
            assertThat(failed).as("requests of the batch that expired").isNotEmpty();
            assertThat(answered).doesNotContainAnyElementsOf(failed);
            answered.addAll(failed);
            assertThat(answered).hasSize((int) ROWS).isEqualTo(rows.keySet());
        }
        try (Stream<Path> left = Files.list(directory.resolve("batches"))) {
            assertThat(left).isEmpty();
        }
    }

    // ------------------------------------------------------------------- jobs

    @SuppressWarnings("deprecation") // see PacedNumbers
    private void submit(BatchApiStub stub) throws Exception {
        StreamExecutionEnvironment env = environment();
        BatchInferenceOptions options =
                options(stub)
                        .set(BatchInferenceOptions.SIZE, BATCH)
                        .set(BatchInferenceOptions.FILL_TIME, Duration.ofMillis(50))
                        .set(BatchInferenceOptions.RESULTS_TOPIC, RESULTS)
                        .build();
        SingleOutputStreamOperator<SubmittedBatch> batches =
                BatchInferenceSubmitter.apply(
                        env.addSource(
                                new PacedNumbers(ROWS, ROWS_PER_CHECKPOINT), "rows", Types.LONG),
                        row -> "{\"n\":" + row + "}",
                        options);
        batches.map(new InducedFailures<SubmittedBatch>())
                .returns(Types.POJO(SubmittedBatch.class))
                .sinkTo(sink("batches", batch -> BATCHES, new SubmittedBatchSchema()));
        batches.getSideOutput(BatchInferenceSubmitter.submittedRows(Types.LONG))
                .map(submitted -> submitted.customId + "=" + submitted.row)
                .sinkTo(sink("rows", row -> ROWS_OF_BATCHES, new SimpleStringSchema()));
        env.execute("submitter");
    }

    private void collect(BatchApiStub stub) throws Exception {
        StreamExecutionEnvironment env = environment();
        DataStream<SubmittedBatch> batches =
                env.fromSource(
                        KafkaSource.<SubmittedBatch>builder()
                                .setBootstrapServers(kafka.bootstrapServers())
                                .setTopics(BATCHES)
                                .setStartingOffsets(OffsetsInitializer.earliest())
                                .setBounded(OffsetsInitializer.latest())
                                .setProperty(
                                        ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed")
                                .setValueOnlyDeserializer(new SubmittedBatchSchema())
                                .build(),
                        WatermarkStrategy.noWatermarks(),
                        "batches");
        SingleOutputStreamOperator<CollectedResult<Long>> results =
                BatchInferenceCollector.apply(
                        batches,
                        (customId, response) -> Long.parseLong(response.replaceAll("\\D", "")),
                        Types.LONG,
                        options(stub)
                                .set(BatchInferenceOptions.ON_FAILURE, OnFailure.SIDE_OUTPUT)
                                .build());
        TypeInformation<CollectedResult<Long>> type = CollectedResult.type(Types.LONG);
        results.map(new InducedFailures<CollectedResult<Long>>())
                .returns(type)
                .sinkTo(
                        sink(
                                "results",
                                collected -> collected.request.resultsTopic,
                                collected ->
                                        (collected.request.customId + "=" + collected.result)
                                                .getBytes(StandardCharsets.UTF_8)));
        results.getSideOutput(BatchInferenceCollector.failedRequests())
                .map(failed -> failed.row.customId)
                .sinkTo(sink("failed", request -> FAILED, new SimpleStringSchema()));
        env.execute("collector");
    }

    private StreamExecutionEnvironment environment() {
        Configuration configuration = new Configuration();
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, 50);
        // Long enough for the stub to have done what a failed task asked for: a creation that
        // happens after its job was looked for is paid twice, as ADR 14 says and
        // BatchApiChaosITCase counts.
        configuration.set(
                RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_DELAY, Duration.ofMillis(200));
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(configuration);
        env.setParallelism(1);
        env.enableCheckpointing(50);
        return env;
    }

    private BatchInferenceOptions.Builder options(BatchApiStub stub) {
        return BatchInferenceOptions.builder(stub.openAi())
                .set(BatchInferenceOptions.POLL_INTERVAL, Duration.ofMillis(20))
                .set(BatchInferenceOptions.RETRY_DELAY, Duration.ofMillis(2))
                .set(BatchInferenceOptions.LOCAL_DIR, directory + "/batches");
    }

    private static <T> KafkaSink<T> sink(
            String name, TopicSelector<T> topic, SerializationSchema<T> schema) {
        return KafkaSink.<T>builder()
                .setBootstrapServers(kafka.bootstrapServers())
                .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
                .setTransactionalIdPrefix(name)
                .setProperty(ProducerConfig.TRANSACTION_TIMEOUT_CONFIG, "60000")
                .setRecordSerializer(
                        KafkaRecordSerializationSchema.<T>builder()
                                .setTopicSelector(topic)
                                .setValueSerializationSchema(schema)
                                .build())
                .build();
    }

    // --------------------------------------------------------------- provider

    private static BatchApiStub.Fault faultOrNull(Random random) {
        synchronized (random) {
            return switch (random.nextInt(30)) {
                case 0 -> BatchApiStub.status(429);
                case 1 -> BatchApiStub.status(500);
                case 2, 3 -> BatchApiStub.answerLost();
                default -> null;
            };
        }
    }

    /** The first batch expires half-way, others complete, some untidily. */
    private static Void end(BatchApiStub stub, BatchApiStub.Job job, Random random) {
        List<JsonNode> lines = job.lines;
        String all = BatchApiStub.resultsOf(job, lines.size());
        if (job == stub.jobs().get(0)) {
            return stub.end(job, "expired", BatchApiStub.resultsOf(job, lines.size() / 2), null);
        }
        synchronized (random) {
            return random.nextInt(4) == 0
                    ? stub.end(job, "completed", all + all + "{\"custom_id\":\"x\"}\n", null)
                    : stub.complete(job);
        }
    }

    // ------------------------------------------------------------------- Kafka

    private static Map<String, Long> rowsByCustomId() {
        return read(ROWS_OF_BATCHES).stream()
                .map(row -> row.split("="))
                .collect(Collectors.toMap(parts -> parts[0], parts -> Long.parseLong(parts[1])));
    }

    /** What was committed to a topic, all of it. */
    private static List<String> read(String topic) {
        Properties properties = new Properties();
        properties.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, kafka.bootstrapServers());
        properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
        TopicPartition partition = new TopicPartition(topic, 0);
        List<String> values = new ArrayList<>();
        try (KafkaConsumer<String, String> consumer =
                new KafkaConsumer<>(
                        properties, new StringDeserializer(), new StringDeserializer())) {
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            long end = consumer.endOffsets(List.of(partition)).get(partition);
            while (consumer.position(partition) < end) {
                for (ConsumerRecord<String, String> record :
                        consumer.poll(Duration.ofMillis(100))) {
                    values.add(record.value());
                }
            }
        }
        return values;
    }

    /** Fails the task behind an operator, now and then, as long as failures are left. */
    private static final class InducedFailures<T> implements MapFunction<T, T>, CheckpointListener {

        private static final long serialVersionUID = 1L;

        private static final AtomicInteger LEFT = new AtomicInteger();
        private static final AtomicInteger SEEN = new AtomicInteger();
        private static final AtomicInteger CHECKPOINTS = new AtomicInteger();

        /** Elements between failures: few, as few batches have to do. */
        private static final int APART = 3;

        static void plan(int failures) {
            LEFT.set(failures);
            SEEN.set(0);
            CHECKPOINTS.set(0);
        }

        static int left() {
            return LEFT.get();
        }

        @Override
        public T map(T element) {
            if (SEEN.incrementAndGet() % APART == 0 && CHECKPOINTS.get() > 0 && LEFT.get() > 0) {
                LEFT.decrementAndGet();
                throw new IllegalStateException("induced failure");
            }
            return element;
        }

        @Override
        public void notifyCheckpointComplete(long checkpointId) {
            CHECKPOINTS.incrementAndGet();
        }
    }
}
