package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.typeinfo.BasicTypeInfo;
import org.apache.flink.api.common.typeutils.base.IntSerializer;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.OneInputStreamTask;
import org.apache.flink.streaming.runtime.tasks.StreamTaskMailboxTestHarness;
import org.apache.flink.streaming.runtime.tasks.StreamTaskMailboxTestHarnessBuilder;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The operator in Flink's real task: its mailbox, its timers, its operator chain. */
@Timeout(60)
class RealTaskTest {

    @ParameterizedTest
    @EnumSource
    @SuppressWarnings("deprecation") // The harness offers no other way to chain serializers.
    void chainedOperatorsFinishFromHeadToTail(OutputMode mode) throws Exception {
        FakeInvoker<Integer, Integer> head = new FakeInvoker<>(value -> value * 2);
        FakeInvoker<Integer, Integer> tail = new FakeInvoker<>(value -> value + 1);
        head.answersAtOnce = true;
        tail.answersAtOnce = true;
        try (StreamTaskMailboxTestHarness<Integer> task =
                new StreamTaskMailboxTestHarnessBuilder<>(
                                OneInputStreamTask::new, BasicTypeInfo.INT_TYPE_INFO)
                        .addInput(BasicTypeInfo.INT_TYPE_INFO)
                        .setupOperatorChain(
                                new OperatorID(), factory(Settings.of(mode).batchSize(2), head))
                        .chain(
                                new OperatorID(),
                                factory(Settings.of(mode).batchSize(3), tail),
                                IntSerializer.INSTANCE,
                                IntSerializer.INSTANCE,
                                false)
                        .finish()
                        .build()) {
            for (int row = 1; row <= 5; row++) {
                task.processElement(new StreamRecord<>(row, row));
            }
            task.endInput();
            task.waitForTaskCompletion();
            List<String> output = new ArrayList<>();
            for (Object element : task.getOutput()) {
                if (element instanceof StreamRecord<?> record) {
                    output.add(record.getValue() + "@" + record.getTimestamp());
                }
            }
            assertThat(output).containsExactly("3@1", "5@2", "7@3", "9@4", "11@5");
            assertThat(head.batchSizes()).containsExactly(2, 2, 1);
            assertThat(tail.batchSizes().stream().mapToInt(Integer::intValue).sum()).isEqualTo(5);
        }
        assertThat(List.of(head.closed, tail.closed)).containsExactly(1, 1);
    }

    @ParameterizedTest
    @EnumSource
    void resultFromAnotherThreadIsTakenInTheMailboxThread(OutputMode mode) throws Exception {
        FakeInvoker<Integer, Integer> invoker = new FakeInvoker<>(value -> value * 2);
        try (StreamTaskMailboxTestHarness<Integer> task = single(mode, invoker)) {
            task.processElement(new StreamRecord<>(1, 1));
            task.processElement(new StreamRecord<>(2, 2));
            Thread other = new Thread(() -> invoker.invocations.get(0).succeed());
            other.start();
            other.join();
            assertThat(task.getOutput()).isEmpty();
            task.processAll();
            assertThat(task.getOutput())
                    .map(element -> ((StreamRecord<?>) element).getValue())
                    .isEqualTo(List.of(2, 4));
            task.endInput();
            task.waitForTaskCompletion();
        }
    }

    @ParameterizedTest
    @EnumSource
    void failureOfABatchIsTheTasksFailure(OutputMode mode) throws Exception {
        FakeInvoker<Integer, Integer> invoker = new FakeInvoker<>(value -> value * 2);
        try (StreamTaskMailboxTestHarness<Integer> task = single(mode, invoker)) {
            task.processElement(new StreamRecord<>(1));
            task.processElement(new StreamRecord<>(2));
            invoker.invocations.get(0).fail(new IllegalStateException("ValueError: bad input"));
            assertThatThrownBy(task::processAll)
                    .hasStackTraceContaining(
                            "Could not complete the batch of 2 rows (batch 1): ValueError: bad"
                                    + " input");
        }
        assertThat(invoker.closed).isOne();
    }

    private static StreamTaskMailboxTestHarness<Integer> single(
            OutputMode mode, FakeInvoker<Integer, Integer> invoker) throws Exception {
        return new StreamTaskMailboxTestHarnessBuilder<>(
                        OneInputStreamTask::new, BasicTypeInfo.INT_TYPE_INFO)
                .addInput(BasicTypeInfo.INT_TYPE_INFO)
                .setupOutputForSingletonOperatorChain(factory(Settings.of(mode), invoker))
                .build();
    }

    /** The harness serializes the factory, so the invoker is reached through a registry. */
    private static AsyncBatchWaitOperatorFactory<Integer, Integer> factory(
            Settings settings, FakeInvoker<Integer, Integer> invoker) {
        int key = InvokerRegistry.put(invoker);
        AsyncBatchWaitOperatorFactory<Integer, Integer> factory =
                new AsyncBatchWaitOperatorFactory<>(
                        settings.build(), () -> InvokerRegistry.get(key), row -> 1);
        factory.setOutputType(BasicTypeInfo.INT_TYPE_INFO, new ExecutionConfig());
        return factory;
    }
}
