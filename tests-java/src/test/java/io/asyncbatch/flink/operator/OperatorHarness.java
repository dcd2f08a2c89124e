package io.asyncbatch.flink.operator;

import io.asyncbatch.flink.DeadLetters;
import io.asyncbatch.flink.RowGrouping;
import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.operator.buffer.RowWeigher;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.api.common.serialization.SerializerConfigImpl;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Metric;
import org.apache.flink.runtime.clusterframework.types.ResourceID;
import org.apache.flink.runtime.executiongraph.ExecutionGraphTestUtils;
import org.apache.flink.runtime.io.disk.iomanager.IOManager;
import org.apache.flink.runtime.io.disk.iomanager.IOManagerAsync;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.runtime.metrics.MetricRegistry;
import org.apache.flink.runtime.metrics.groups.AbstractMetricGroup;
import org.apache.flink.runtime.metrics.groups.TaskManagerMetricGroup;
import org.apache.flink.runtime.metrics.groups.TaskMetricGroup;
import org.apache.flink.runtime.metrics.util.TestingMetricRegistry;
import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.runtime.util.TestingTaskManagerRuntimeInfo;
import org.apache.flink.streaming.api.operators.AbstractStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.OneInputStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.operators.legacy.YieldingOperatorFactory;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.traces.Span;

/**
 * An operator in Flink's harness, with timers, mailbox and output that its test has in its hand.
 * Driven by the test's thread.
 *
 * @param <T> type of the rows and of their results
 */
public final class OperatorHarness<T> implements AutoCloseable {

    private static final OperatorID OPERATOR = new OperatorID(1, 2);

    /**
     * One for all, as an environment would start and end threads of its own for the disk, which
     * takes longer than most lives of an operator, and operators here have no use for it.
     */
    private static final IOManager DISK =
            new IOManagerAsync() {
                @Override
                public void close() {
                    // Others use it.
                }
            };

    /** What the operator sees of its task. Each may be the harness's own. */
    public interface Task<T> {

        /** Called first. */
        MailboxExecutor mailbox(MailboxExecutor ofHarness);

        ProcessingTimeService timers();

        Output<StreamRecord<T>> output(Output<StreamRecord<T>> ofHarness);
    }

    private final MockEnvironment environment;
    private final OneInputStreamOperatorTestHarness<T, T> harness;
    private final Map<String, Metric> metrics = new ConcurrentHashMap<>();
    private final List<Span> spans = new ArrayList<>();

    /**
     * @param subtask its index; harnesses with several are subtasks of one operator
     * @param configuration of the TaskManager
     */
    public OperatorHarness(
            BatchSettings settings,
            TypeInformation<T> type,
            BatchInvoker<T, T> invoker,
            RowWeigher<T> weigher,
            RowGrouping<T> grouping,
            Task<T> task,
            int subtask,
            int parallelism,
            Configuration configuration)
            throws Exception {
        environment =
                MockEnvironment.builder()
                        .setMaxParallelism(128)
                        .setParallelism(parallelism)
                        .setSubtaskIndex(subtask)
                        .setMetricGroup(recordingGroup())
                        .setTaskManagerRuntimeInfo(new TestingTaskManagerRuntimeInfo(configuration))
                        .setIOManager(DISK)
                        .build();
        AsyncBatchWaitOperatorFactory<T, T> factory =
                new AsyncBatchWaitOperatorFactory<>(
                        settings, () -> invoker, weigher, grouping, DeadLetters.tag(type));
        factory.setOutputType(type, new ExecutionConfig());
        TypeSerializer<T> serializer = type.createSerializer(new SerializerConfigImpl());
        harness =
                new OneInputStreamOperatorTestHarness<>(
                        new InjectingFactory<>(factory, task), serializer, environment);
        harness.getStreamConfig().setOperatorID(OPERATOR);
        harness.setup(serializer);
    }

    public OneInputStreamOperatorTestHarness<T, T> flink() {
        return harness;
    }

    public MockEnvironment environment() {
        return environment;
    }

    /** By name, those that the operator has registered. */
    public Map<String, Metric> metrics() {
        return metrics;
    }

    /** Those that the operator has reported so far. */
    public List<Span> spans() {
        return spans;
    }

    public long counter(String name) {
        return ((Counter) metrics.get(name)).getCount();
    }

    public Object gauge(String name) {
        return ((Gauge<?>) metrics.get(name)).getValue();
    }

    @Override
    public void close() throws Exception {
        try {
            harness.close();
        } finally {
            environment.close();
        }
    }

    private TaskMetricGroup recordingGroup() {
        MetricRegistry registry =
                TestingMetricRegistry.builder()
                        .setRegisterConsumer(
                                (Metric metric, String name, AbstractMetricGroup<?> group) ->
                                        metrics.put(name, metric))
                        .setSpanConsumer((span, group) -> spans.add(span))
                        .build();
        return TaskManagerMetricGroup.createTaskManagerMetricGroup(
                        registry, "localhost", ResourceID.generate())
                .addJob(new JobID(), "job")
                .addTask(ExecutionGraphTestUtils.createExecutionAttemptId(), "task");
    }

    /** Hands the operator what its test wants it to see in place of the harness's own. */
    @SuppressWarnings("deprecation")
    private static final class InjectingFactory<T> extends AbstractStreamOperatorFactory<T>
            implements OneInputStreamOperatorFactory<T, T>, YieldingOperatorFactory<T> {

        private final transient AsyncBatchWaitOperatorFactory<T, T> factory;
        private final transient Task<T> task;

        private InjectingFactory(AsyncBatchWaitOperatorFactory<T, T> factory, Task<T> task) {
            this.factory = factory;
            this.task = task;
        }

        @Override
        public <O extends StreamOperator<T>> O createStreamOperator(
                StreamOperatorParameters<T> parameters) {
            MailboxExecutor mailbox = task.mailbox(getMailboxExecutor());
            factory.setMailboxExecutor(mailbox);
            return factory.createStreamOperator(
                    new StreamOperatorParameters<>(
                            parameters.getContainingTask(),
                            parameters.getStreamConfig(),
                            task.output(parameters.getOutput()),
                            task::timers,
                            parameters.getOperatorEventDispatcher(),
                            mailbox));
        }

        @Override
        @SuppressWarnings("rawtypes")
        public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader classLoader) {
            return AsyncBatchWaitOperator.class;
        }
    }
}
