package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import io.asyncbatch.flink.operator.inflight.BatchFailedException;
import java.util.List;
import java.util.stream.Stream;
import org.apache.flink.runtime.state.OperatorStateBackend;
import org.apache.flink.streaming.runtime.streamrecord.RecordAttributesBuilder;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.ThrowingConsumer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** How a batch that cannot be completed fails the task, and how the operator's life ends. */
@Timeout(60)
class FailureTest {

    @ParameterizedTest
    @EnumSource
    void failureNamesTheBatchAndTheCause(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(2))) {
            rig.rows(41, 42);
            IllegalStateException cause = new IllegalStateException("ValueError: no such class");
            rig.invoker.invocations.get(0).fail(cause);
            assertThatThrownBy(rig::runMails)
                    .isInstanceOf(BatchFailedException.class)
                    .hasMessage(
                            "Could not complete the batch of 2 rows (batch 1): ValueError: no such"
                                    + " class")
                    .hasCause(cause)
                    .hasMessageNotContaining("41");
            assertThat(rig.counter("asyncCallFailures")).isOne();
        }
    }

    @ParameterizedTest
    @EnumSource
    void failureAtTheEndOfInputDoesNotHang(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(2))) {
            rig.rows(1);
            rig.mail(() -> rig.invoker.invocations.get(0).fail(new RuntimeException("boom")));
            assertThatThrownBy(() -> rig.harness.endInput())
                    .hasStackTraceContaining("the batch of 1 row (batch 1): boom");
        }
    }

    @ParameterizedTest
    @EnumSource
    void nothingLeavesAfterAFailure(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(1))) {
            rig.rows(1, 2, 3);
            rig.invoker.invocations.get(1).fail(new RuntimeException("boom"));
            rig.invoker.invocations.get(0).succeed();
            rig.invoker.invocations.get(2).succeed();
            assertThatThrownBy(rig::runMails).hasMessageContaining("boom");
            rig.runMails();
            assertThat(rig.output()).isEmpty();
        }
    }

    /** User code before the operator may catch what its collector throws. */
    @Test
    void swallowedFailureStillFailsTheTask() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1).capacity(1))) {
            rig.harness.getEnvironment().setExpectedExternalFailureCause(Throwable.class);
            rig.rows(1);
            rig.mail(() -> rig.invoker.invocations.get(0).fail(new RuntimeException("boom")));
            assertThatThrownBy(() -> rig.rows(2)).hasStackTraceContaining("boom");
            assertThatThrownBy(() -> rig.rows(3)).hasMessageContaining("boom");
            assertThat(rig.harness.getEnvironment().getActualExternalFailureCause())
                    .get()
                    .isInstanceOf(BatchFailedException.class);
        }
    }

    @ParameterizedTest
    @MethodSource("inputs")
    void nothingIsTakenAfterASwallowedFailure(ThrowingConsumer<OperatorRig<Integer>> input)
            throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1))) {
            rig.harness.getEnvironment().setExpectedExternalFailureCause(Throwable.class);
            rig.rows(1);
            rig.invoker.invocations.get(0).fail(new RuntimeException("boom"));
            assertThatThrownBy(rig::runMails).hasMessageContaining("boom");
            assertThatThrownBy(() -> input.accept(rig)).isInstanceOf(BatchFailedException.class);
        }
    }

    static Stream<ThrowingConsumer<OperatorRig<Integer>>> inputs() {
        return Stream.of(
                rig -> rig.rows(2),
                rig -> rig.watermark(1),
                rig -> rig.harness.processWatermarkStatus(WatermarkStatus.IDLE),
                rig ->
                        rig.harness.processRecordAttributes(
                                new RecordAttributesBuilder(List.of()).build()),
                rig -> rig.harness.endInput());
    }

    @Test
    void noSnapshotAfterAFailure() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1))) {
            rig.harness.getEnvironment().setExpectedExternalFailureCause(Throwable.class);
            rig.rows(1);
            rig.invoker.invocations.get(0).fail(new RuntimeException("boom"));
            assertThatThrownBy(rig::runMails).hasMessageContaining("boom");
            assertThatThrownBy(rig::snapshot).hasStackTraceContaining("boom");
        }
    }

    @ParameterizedTest
    @EnumSource
    void shortResultListIsRefused(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(3))) {
            rig.rows(1, 2, 3);
            rig.invoker.invocations.get(0).succeed(List.of(10, 20));
            assertThatThrownBy(rig::runMails)
                    .hasMessageContaining("should be of list type")
                    .hasMessageContaining("each of its 3 inputs, but it has 2");
            assertThat(rig.output()).isEmpty();
        }
    }

    @ParameterizedTest
    @EnumSource
    void longResultListIsRefused(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(1))) {
            rig.rows(1);
            rig.invoker.invocations.get(0).succeed(List.of(10, 20));
            assertThatThrownBy(rig::runMails)
                    .hasMessageContaining("each of its 1 inputs, but it has 2");
        }
    }

    @Test
    void noResultListIsRefused() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1))) {
            rig.rows(1);
            rig.invoker.invocations.get(0).succeed(null);
            assertThatThrownBy(rig::runMails).hasMessageContaining("cannot be none");
        }
    }

    @Test
    void brokenInvokerFailsTheTask() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1))) {
            rig.rows(1);
            rig.invoker.invocations.get(0).breakInvoker(new RuntimeException("worker died"));
            assertThatThrownBy(rig::runMails).hasMessageContaining("worker died");
        }
    }

    @ParameterizedTest
    @EnumSource
    void anInvokerThatThrowsFailsTheTask(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(1))) {
            rig.invoker.failureOfCalls = new IllegalStateException("the socket is gone");
            assertThatThrownBy(() -> rig.rows(1))
                    .hasMessage(
                            "Could not complete the batch of 1 row (batch 1): the socket is gone");
            assertThat(rig.counter("batchesFailedByInvoker")).isOne();
        }
    }

    @ParameterizedTest
    @EnumSource
    void anInvokerThatThrowsWhenAskedForSubstitutesFailsTheTask(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(1).timeout(10))) {
            rig.rows(1);
            rig.invoker.failureOfCalls = new IllegalStateException("the socket is gone");
            assertThatThrownBy(() -> rig.advance(10))
                    .hasMessage(
                            "Could not complete the batch of 1 row (batch 1): the socket is gone");
            assertThat(rig.counter("batchesFailedByInvoker")).isOne();
        }
    }

    @Test
    void anInvokerThatReportsNothingFailsTheTask() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1))) {
            rig.rows(1);
            rig.invoker.invocations.get(0).report(null);
            assertThatThrownBy(rig::runMails)
                    .hasMessageEndingWith("the invoker reported no outcome");
        }
    }

    /** FLINK-24846: the exception would surface in the invoker's thread. */
    @Test
    void completionAfterTheMailboxClosedIsIgnored() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1))) {
            rig.rows(1, 2);
            rig.harness.getTaskMailbox().quiesce();
            assertThatCode(() -> rig.invoker.invocations.get(0).succeed())
                    .doesNotThrowAnyException();
            rig.harness.getTaskMailbox().close();
            assertThatCode(() -> rig.invoker.invocations.get(1).succeed())
                    .doesNotThrowAnyException();
            assertThat(rig.output()).isEmpty();
        }
    }

    @Test
    void completionAfterCloseIsIgnored() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1))) {
            rig.rows(1);
            rig.close();
            rig.succeed(0);
            assertThat(rig.output()).isEmpty();
            assertThat(rig.timers.active()).isZero();
        }
    }

    @Test
    void closeEndsTheInvokerOnceAndAllTimers() throws Exception {
        var rig = OperatorRig.open(Settings.ordered().batchSize(2).batchTimeout(10));
        rig.rows(1, 2, 3);
        rig.harness.getOneInputOperator().close();
        rig.harness.getOneInputOperator().close();
        assertThat(rig.invoker.closed).isOne();
        assertThat(rig.timers.active()).isZero();
    }

    /** Thrown after another failure it would end the TaskManager, with all its other jobs. */
    @Test
    void aFailureOfCloseCountsOnlyIfAllElseWentWell() throws Exception {
        var failed = OperatorRig.open(Settings.ordered());
        failed.invoker.failureOfClose = new IllegalStateException("cannot close");
        failed.harness.getOneInputOperator().close();
        assertThat(failed.invoker.closed).isOne();

        var finished = OperatorRig.open(Settings.ordered());
        finished.invoker.failureOfClose = new IllegalStateException("cannot close");
        finished.finish();
        finished.harness.getOneInputOperator().finish();
        assertThatThrownBy(() -> finished.harness.getOneInputOperator().close())
                .hasMessage("cannot close");
    }

    @Test
    void closeLetsGoOfTheState() throws Exception {
        var rig = OperatorRig.open(Settings.ordered());
        OperatorStateBackend state = rig.harness.getOperator().getOperatorStateBackend();
        assertThat(state.getRegisteredStateNames()).isNotEmpty();
        rig.close();
        assertThat(state.getRegisteredStateNames()).isEmpty();
    }

    @Test
    void invokerIsClosedAfterAFailedOpen() throws Exception {
        var rig = OperatorRig.create(Settings.ordered());
        rig.invoker.failureOfOpen = new IllegalStateException("no interpreter");
        assertThatThrownBy(rig::opened).hasMessage("no interpreter");
        rig.harness.getOneInputOperator().close();
        assertThat(rig.invoker.opened).isOne();
        assertThat(rig.invoker.closed).isOne();
    }

    @Test
    void operatorThatWasNeverOpenedCloses() throws Exception {
        var rig = OperatorRig.create(Settings.ordered());
        rig.harness.getOneInputOperator().close();
        assertThat(rig.invoker.closed).isZero();
    }

    @Test
    void invokerIsLentTheTasksEnvironmentAndTheOperatorsContext() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered())) {
            assertThat(rig.invoker.context.taskEnvironment())
                    .isSameAs(rig.harness.getEnvironment());
            assertThat(rig.invoker.context.runtimeContext())
                    .isSameAs(rig.harness.getOperator().getRuntimeContext());
        }
    }

    @Test
    void invokerFailsTheTaskOnceAndNotAfterClose() throws Exception {
        var rig = OperatorRig.open(Settings.ordered());
        rig.harness.getEnvironment().setExpectedExternalFailureCause(Throwable.class);
        RuntimeException death = new RuntimeException("worker exited with status 9");
        rig.invoker.context.failTask(death);
        rig.invoker.context.failTask(new RuntimeException("second"));
        assertThat(rig.harness.getEnvironment().getActualExternalFailureCause().orElseThrow())
                .isSameAs(death);
        rig.close();

        var closed = OperatorRig.open(Settings.ordered());
        closed.close();
        assertThatCode(() -> closed.invoker.context.failTask(death)).doesNotThrowAnyException();
    }
}
