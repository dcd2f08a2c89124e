package io.asyncbatch.flink.batchapi.operator;

import io.asyncbatch.flink.batchapi.BatchCodec;
import io.asyncbatch.flink.batchapi.BatchInference;
import io.asyncbatch.flink.batchapi.BatchInferenceCollector;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.batchapi.BatchInferenceSubmitter;
import io.asyncbatch.flink.batchapi.CollectedResult;
import io.asyncbatch.flink.batchapi.FailedRow;
import io.asyncbatch.flink.batchapi.SubmittedBatch;
import io.asyncbatch.flink.batchapi.SubmittedRow;
import io.asyncbatch.flink.batchapi.job.SideOutputs;
import io.asyncbatch.flink.operator.ManualTimers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.api.common.serialization.SerializerConfigImpl;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Metric;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.clusterframework.types.ResourceID;
import org.apache.flink.runtime.executiongraph.ExecutionGraphTestUtils;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.runtime.metrics.groups.AbstractMetricGroup;
import org.apache.flink.runtime.metrics.groups.TaskManagerMetricGroup;
import org.apache.flink.runtime.metrics.groups.TaskMetricGroup;
import org.apache.flink.runtime.metrics.util.TestingMetricRegistry;
import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.streaming.api.operators.AbstractStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.OneInputStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.operators.legacy.YieldingOperatorFactory;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.mailbox.Mail;
import org.apache.flink.streaming.runtime.tasks.mailbox.TaskMailbox;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.util.OutputTag;
import org.apache.flink.util.concurrent.Executors;
import org.apache.flink.util.function.ThrowingRunnable;

/**
 * One life of an operator at a {@link FakeServer}, all driven by the test's thread.
 *
 * @param <E> type of what comes in
 * @param <OUT> type of the outputs
 */
final class BatchInferenceRig<E, OUT> implements AutoCloseable {

    /** The same Flink job in each of its lives. */
    private static final JobID JOB = new JobID(7, 7);

    private static final OutputTag<FailedRow<Integer>> FAILURES =
            BatchInference.failedRows(Types.INT);

    static final OutputTag<SubmittedRow<Integer>> SUBMITTED_ROWS =
            BatchInferenceSubmitter.submittedRows(Types.INT);

    final ManualTimers timers = new ManualTimers();
    final OneInputStreamOperatorTestHarness<E, OUT> harness;
    final Map<String, Metric> metrics = new ConcurrentHashMap<>();
    private MailboxExecutor mailbox;

    /** Options for short tests; the base is where files go. */
    static BatchInferenceOptions.Builder options(Path base) {
        return BatchInferenceOptions.builder("http://localhost:1")
                .set(BatchInferenceOptions.SIZE, 2)
                .set(BatchInferenceOptions.POLL_INTERVAL, Duration.ofSeconds(10))
                .set(BatchInferenceOptions.LOCAL_DIR, base.resolve("batches").toString());
    }

    private BatchInferenceRig(
            BatchInferenceOperatorFactory<E, ?, OUT> factory,
            TypeInformation<E> inputType,
            TypeInformation<OUT> outputType,
            boolean checkpoints,
            int subtask,
            int parallelism)
            throws Exception {
        MockEnvironment environment =
                MockEnvironment.builder()
                        .setJobID(JOB)
                        .setMaxParallelism(128)
                        .setParallelism(parallelism)
                        .setSubtaskIndex(subtask)
                        .setMetricGroup(recordingGroup())
                        .build();
        if (checkpoints) {
            environment
                    .getJobConfiguration()
                    .set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofSeconds(1));
        }
        factory.setOutputType(outputType, new ExecutionConfig());
        TypeSerializer<E> serializer = inputType.createSerializer(new SerializerConfigImpl());
        harness =
                new OneInputStreamOperatorTestHarness<>(
                        new ManualTimeFactory(factory), serializer, environment);
        harness.getStreamConfig().setOperatorID(new OperatorID(1, 1));
        harness.getStreamConfig().serializeAllConfigs();
        harness.setup(outputType.createSerializer(new SerializerConfigImpl()));
    }

    private static <E, IN, OUT> BatchInferenceOperatorFactory<E, IN, OUT> factory(
            BatchInferenceOptions options, FakeServer server, Role<E, IN, OUT> role) {
        return new BatchInferenceOperatorFactory<>(
                options,
                taskManager -> server.client(),
                role,
                name -> Executors.newDirectExecutorServiceWithNoOpShutdown());
    }

    private static BatchInferenceRig<Integer, Integer> create(
            BatchInferenceOptions options,
            FakeServer server,
            boolean checkpoints,
            int subtask,
            int parallelism)
            throws Exception {
        return new BatchInferenceRig<>(
                factory(
                        options,
                        server,
                        new InferenceRole<>(new Numbers(), new SideOutputs<>(FAILURES, null))),
                Types.INT,
                Types.INT,
                checkpoints,
                subtask,
                parallelism);
    }

    static BatchInferenceRig<Integer, Integer> create(
            BatchInferenceOptions.Builder options, FakeServer server, int subtask, int parallelism)
            throws Exception {
        return create(options.build(), server, true, subtask, parallelism);
    }

    /** A job whose checkpoints are waited for. */
    static BatchInferenceRig<Integer, Integer> open(
            BatchInferenceOptions.Builder options, FakeServer server) throws Exception {
        return create(options, server, 0, 1).opened();
    }

    /** A job without checkpoints, which submits batches at once. */
    static BatchInferenceRig<Integer, Integer> openWithoutCheckpoints(
            BatchInferenceOptions.Builder options, FakeServer server) throws Exception {
        return create(options.build(), server, false, 0, 1).opened();
    }

    static BatchInferenceRig<Integer, Integer> restore(
            BatchInferenceOptions.Builder options, FakeServer server, OperatorSubtaskState state)
            throws Exception {
        return create(options, server, 0, 1).initialized(state).opened();
    }

    /** A submitter that has not been opened. */
    static BatchInferenceRig<Integer, SubmittedBatch> submitter(
            BatchInferenceOptions.Builder options, FakeServer server) throws Exception {
        BatchInferenceOptions built = options.build();
        return new BatchInferenceRig<>(
                factory(
                        built,
                        server,
                        SubmitterRole.of(
                                new Numbers(), new SideOutputs<>(FAILURES, SUBMITTED_ROWS), built)),
                Types.INT,
                Types.POJO(SubmittedBatch.class),
                true,
                0,
                1);
    }

    /** A collector that has not been opened. Its results are numbers. */
    static BatchInferenceRig<SubmittedBatch, CollectedResult<Integer>> collector(
            BatchInferenceOptions.Builder options, FakeServer server) throws Exception {
        return new BatchInferenceRig<>(
                factory(
                        options.build(),
                        server,
                        new CollectorRole<Integer>(
                                (customId, response) -> Integer.valueOf(response),
                                new SideOutputs<>(BatchInferenceCollector.failedRequests(), null))),
                Types.POJO(SubmittedBatch.class),
                CollectedResult.type(Types.INT),
                true,
                0,
                1);
    }

    BatchInferenceRig<E, OUT> initialized(OperatorSubtaskState state) throws Exception {
        harness.initializeState(state);
        return this;
    }

    BatchInferenceRig<E, OUT> opened() throws Exception {
        harness.open();
        return runMails();
    }

    // ---------------------------------------------------------- input, course

    @SafeVarargs
    final BatchInferenceRig<E, OUT> rows(E... values) throws Exception {
        for (E value : values) {
            harness.processElement(new StreamRecord<>(value));
        }
        return runMails();
    }

    BatchInferenceRig<E, OUT> row(E value, long timestamp) throws Exception {
        harness.processElement(new StreamRecord<>(value, timestamp));
        return runMails();
    }

    BatchInferenceRig<E, OUT> watermark(long timestamp) throws Exception {
        harness.processWatermark(timestamp);
        return runMails();
    }

    /** Runs an action that is held back, until the pause is over in which one row is let in. */
    void letIn(ThrowingRunnable<Exception> action) throws Exception {
        mailbox.execute(() -> timers.advance(1_000), "time passes");
        action.run();
        runMails();
    }

    /** Ends the input; meanwhile the server completes what it has, and time passes. */
    void finish(FakeServer server) throws Exception {
        finishWhile(() -> server.running().forEach(server::complete));
    }

    /** Ends the input; meanwhile something happens again and again, and time passes. */
    void finishWhile(ThrowingRunnable<Exception> something) throws Exception {
        repeatWhileFinishing(
                () -> {
                    something.run();
                    timers.advance(60_000);
                });
        harness.endInput();
        runMails();
    }

    private void repeatWhileFinishing(ThrowingRunnable<Exception> action) {
        mailbox.execute(
                () -> {
                    action.run();
                    if (!finished()) {
                        repeatWhileFinishing(action);
                    }
                },
                "the world goes on");
    }

    private boolean finished() {
        return ((BatchInferenceOperator<?, ?, ?>) harness.getOperator()).holdsNothing();
    }

    BatchInferenceRig<E, OUT> runMails() throws Exception {
        TaskMailbox taskMailbox = harness.getTaskMailbox();
        for (Optional<Mail> mail = taskMailbox.tryTake(TaskMailbox.MIN_PRIORITY);
                mail.isPresent();
                mail = taskMailbox.tryTake(TaskMailbox.MIN_PRIORITY)) {
            mail.get().run();
        }
        return this;
    }

    /** Runs one mail and says whether there was one. */
    boolean runMail() throws Exception {
        Optional<Mail> mail = harness.getTaskMailbox().tryTake(TaskMailbox.MIN_PRIORITY);
        if (mail.isPresent()) {
            mail.get().run();
        }
        return mail.isPresent();
    }

    BatchInferenceRig<E, OUT> advance(Duration time) throws Exception {
        timers.advance(time.toMillis());
        return runMails();
    }

    OperatorSubtaskState snapshot(long checkpoint) throws Exception {
        return harness.snapshot(checkpoint, checkpoint);
    }

    /** A checkpoint that completes. */
    OperatorSubtaskState checkpoint(long checkpoint) throws Exception {
        OperatorSubtaskState state = snapshot(checkpoint);
        harness.notifyOfCompletedCheckpoint(checkpoint);
        runMails();
        return state;
    }

    // ---------------------------------------------------------------- output

    /** All output so far: {@code value}, {@code value@timestamp}, {@code W:timestamp}. */
    List<String> output() {
        List<String> output = new ArrayList<>();
        for (Object element : harness.getOutput()) {
            if (element instanceof Watermark watermark) {
                output.add("W:" + watermark.getTimestamp());
            } else if (element instanceof StreamRecord<?> record) {
                output.add(
                        record.hasTimestamp()
                                ? record.getValue() + "@" + record.getTimestamp()
                                : String.valueOf(record.getValue()));
            } else {
                output.add(String.valueOf(element));
            }
        }
        return output;
    }

    /** What left as results so far. */
    List<OUT> results() {
        return harness.extractOutputValues();
    }

    <T> List<T> sideOutput(OutputTag<T> tag) {
        Queue<StreamRecord<T>> records = harness.getSideOutput(tag);
        return records == null ? List.of() : records.stream().map(StreamRecord::getValue).toList();
    }

    /** The side output: {@code row code attempts}. */
    List<String> failures() {
        return described(FAILURES);
    }

    <T> List<String> described(OutputTag<FailedRow<T>> failedRows) {
        return sideOutput(failedRows).stream()
                .map(failed -> failed.row + " " + failed.code + " " + failed.attempts)
                .toList();
    }

    long counter(String name) {
        return ((Counter) metrics.get(name)).getCount();
    }

    @Override
    public void close() throws Exception {
        try {
            harness.close();
        } finally {
            harness.getEnvironment().close();
        }
    }

    private TaskMetricGroup recordingGroup() {
        return TaskManagerMetricGroup.createTaskManagerMetricGroup(
                        TestingMetricRegistry.builder()
                                .setRegisterConsumer(
                                        (Metric metric,
                                                String name,
                                                AbstractMetricGroup<?> group) ->
                                                metrics.put(name, metric))
                                .build(),
                        "localhost",
                        ResourceID.generate())
                .addJob(JOB, "job")
                .addTask(ExecutionGraphTestUtils.createExecutionAttemptId(), "task");
    }

    /**
     * A row's request is the row; rows below zero have none, and no result above 10,000 is good.
     */
    private static final class Numbers implements BatchCodec<Integer, Integer> {

        @Override
        public String request(Integer row) {
            if (row < 0) {
                throw new IllegalArgumentException("below zero");
            }
            return row.toString();
        }

        @Override
        public Integer result(Integer row, String response) {
            return Integer.valueOf(response);
        }
    }

    /** Hands the operator the manual timers in place of the harness's. */
    @SuppressWarnings("deprecation")
    private final class ManualTimeFactory extends AbstractStreamOperatorFactory<OUT>
            implements OneInputStreamOperatorFactory<E, OUT>, YieldingOperatorFactory<OUT> {

        private final transient BatchInferenceOperatorFactory<E, ?, OUT> factory;

        private ManualTimeFactory(BatchInferenceOperatorFactory<E, ?, OUT> factory) {
            this.factory = factory;
        }

        @Override
        public <O extends StreamOperator<OUT>> O createStreamOperator(
                StreamOperatorParameters<OUT> parameters) {
            mailbox = getMailboxExecutor();
            timers.setMailbox(mailbox);
            factory.setMailboxExecutor(mailbox);
            return factory.createStreamOperator(
                    new StreamOperatorParameters<>(
                            parameters.getContainingTask(),
                            parameters.getStreamConfig(),
                            parameters.getOutput(),
                            () -> timers,
                            parameters.getOperatorEventDispatcher(),
                            mailbox));
        }

        @Override
        @SuppressWarnings("rawtypes")
        public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader classLoader) {
            return BatchInferenceOperator.class;
        }
    }
}
