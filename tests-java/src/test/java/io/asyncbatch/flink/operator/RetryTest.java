package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Repeated calls: when they come, what they hold meanwhile, and that the deadline covers all. */
@Timeout(60)
class RetryTest {

    @ParameterizedTest
    @EnumSource
    void theSameBatchIsInvokedAgainAfterTheDelay(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(2))) {
            rig.row(1, 5).row(2, 6);
            rig.invoker.invocations.get(0).retry(20);
            rig.runMails().advance(19);
            assertThat(rig.invoker.invocations).hasSize(1);
            rig.advance(1);
            assertThat(rig.invoker.invocations)
                    .extracting(call -> call.request)
                    .containsExactly(
                            new BatchRequest<>(1, 1, List.of(1, 2)),
                            new BatchRequest<>(1, 2, List.of(1, 2)));
            assertThat(rig.output()).isEmpty();
            rig.succeed(1);
            assertThat(rig.output()).containsExactly("10@5", "20@6");
            assertThat(rig.counter("batchRetryCount")).isEqualTo(1);
            assertThat(rig.counter("asyncCallFailures")).isEqualTo(1);
            assertThat(rig.timers.active()).isZero();
        }
    }

    @Test
    void aRetryWithoutADelayWaitsForNothing() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1))) {
            rig.rows(1);
            rig.invoker.invocations.get(0).retry(0);
            rig.runMails().advance(0);
            assertThat(rig.invoker.invocations).hasSize(2);
        }
    }

    @ParameterizedTest
    @EnumSource
    void aBatchThatAwaitsItsRetryKeepsItsSlotAndItsPlace(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(1).capacity(2))) {
            rig.rows(1, 2);
            rig.invoker.invocations.get(0).retry(50);
            rig.succeed(1);
            assertThat(rig.gauge("inflightBatches")).isEqualTo(mode == OutputMode.ORDERED ? 2 : 1);
            assertThat(rig.output())
                    .isEqualTo(mode == OutputMode.ORDERED ? List.of() : List.of("20"));
            rig.watermark(9).advance(50).succeed(2);
            assertThat(rig.output())
                    .isEqualTo(
                            mode == OutputMode.ORDERED
                                    ? List.of("10", "20", "W:9")
                                    : List.of("20", "10", "W:9"));
        }
    }

    @ParameterizedTest
    @EnumSource
    void theDeadlineCoversAllAttempts(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(1).timeout(100))) {
            rig.rows(1).advance(60);
            rig.invoker.invocations.get(0).retry(20);
            rig.runMails().advance(20);
            assertThat(rig.invoker.invocations).hasSize(2);
            rig.advance(19);
            assertThat(rig.invoker.timeouts).isEmpty();
            rig.advance(1);
            assertThat(rig.invoker.timeouts)
                    .extracting(call -> call.request.attempt())
                    .containsExactly(2);
        }
    }

    /** FLINK-40456 and FLINK-30477: the timeout wins, once, and the retry never happens. */
    @ParameterizedTest
    @ValueSource(longs = {1, 1_000, Long.MAX_VALUE})
    void aDeadlineThatPassesBeforeTheRetryCancelsIt(long delay) throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1).timeout(100))) {
            rig.rows(1).advance(99);
            rig.invoker.invocations.get(0).retry(delay);
            // One mail runs the report; the deadline comes first among the timers of its time.
            rig.runMails().advance(1);
            assertThat(rig.invoker.timeouts).hasSize(1);
            assertThat(rig.invoker.invocations).hasSize(1);
            assertThat(rig.timers.active()).as("that of the handler's answer").isOne();
            rig.invoker.timeouts.get(0).succeed(List.of(-1));
            rig.runMails().advance(5_000);
            assertThat(rig.invoker.invocations).hasSize(1);
            assertThat(rig.output()).containsExactly("-1");
            assertThat(rig.timers.active()).isZero();
        }
    }

    /** Both timers are due and wait in the mailbox when the first of them runs. */
    @Test
    void aRetryThatIsDueWithTheDeadlineHappensOnceAndTimesOutOnce() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1).timeout(100))) {
            rig.rows(1).advance(50);
            rig.invoker.invocations.get(0).retry(50);
            rig.runMails();
            rig.timers.advance(50);
            rig.runMails();
            assertThat(rig.invoker.timeouts).hasSize(1);
            assertThat(rig.invoker.invocations).hasSizeLessThanOrEqualTo(2);
            rig.invoker.timeouts.get(0).succeed(List.of(-1));
            rig.invoker.invocations.stream()
                    .filter(FakeInvoker.Call::isOpen)
                    .forEach(call -> call.succeed());
            rig.runMails();
            assertThat(rig.output()).containsExactly("-1");
        }
    }

    @Test
    void aRetryThatIsReportedAfterTheDeadlineIsDropped() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1).timeout(100))) {
            rig.rows(1).advance(100);
            rig.invoker.invocations.get(0).retry(10);
            rig.runMails().advance(10);
            assertThat(rig.invoker.invocations).hasSize(1);
            assertThat(rig.counter("lateResultsDropped")).isEqualTo(1);
            assertThat(rig.counter("batchRetryCount")).isZero();
        }
    }

    /** FLINK-38082. */
    @Test
    void aFailureOfTheTimeoutHandlerIsNotRetried() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1).timeout(100))) {
            rig.rows(1).advance(100);
            rig.invoker.timeouts.get(0).retry(10);
            assertThatThrownBy(rig::runMails).hasMessageContaining("Could not complete the batch");
            assertThat(rig.invoker.invocations).hasSize(1);
        }
    }

    @ParameterizedTest
    @EnumSource
    void atTheEndOfInputPendingRetriesAreFinished(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(1))) {
            rig.rows(1);
            rig.invoker.invocations.get(0).retry(50);
            rig.runMails();
            rig.invoker.answersAtOnce = true;
            rig.whileYielding(rig.harness::endInput, () -> rig.timers.advance(10));
            assertThat(rig.invoker.invocations).hasSize(2);
            assertThat(rig.output()).containsExactly("10");
        }
    }

    @ParameterizedTest
    @EnumSource
    void aBatchThatAwaitsItsRetryIsInTheSnapshot(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(2))) {
            rig.row(1, 5).row(2, 6);
            rig.invoker.invocations.get(0).retry(50);
            rig.runMails();
            try (var restored = OperatorRig.restore(Settings.of(mode), rig.snapshot())) {
                assertThat(restored.invoker.invocations)
                        .extracting(call -> call.request)
                        .containsExactly(new BatchRequest<>(1, 1, List.of(1, 2)));
                restored.succeed(0);
                assertThat(restored.output()).containsExactly("10@5", "20@6");
            }
        }
    }

    @Test
    void nothingIsRetriedAfterTheOperatorWasClosed() throws Exception {
        var rig = OperatorRig.open(Settings.ordered().batchSize(1));
        rig.rows(1);
        rig.invoker.invocations.get(0).retry(50);
        rig.runMails();
        rig.close();
        assertThat(rig.timers.active()).isZero();
        rig.timers.advance(50);
        assertThat(rig.invoker.invocations).hasSize(1);
    }

    @Test
    void aDeferredOutcomeIsToldInTheMailboxThreadOnce() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1))) {
            rig.rows(1);
            int[] calls = {0};
            rig.invoker
                    .invocations
                    .get(0)
                    .report(
                            BatchOutcome.deferred(
                                    () -> {
                                        calls[0]++;
                                        return BatchOutcome.success(List.of(7));
                                    }));
            assertThat(calls[0]).isZero();
            rig.runMails();
            assertThat(calls[0]).isOne();
            assertThat(rig.output()).containsExactly("7");
        }
    }

    @Test
    void aDeferredOutcomeThatThrowsFailsTheBatch() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1))) {
            rig.rows(1);
            rig.invoker
                    .invocations
                    .get(0)
                    .report(
                            BatchOutcome.deferred(
                                    () -> {
                                        throw new IllegalStateException("the predicate raised");
                                    }));
            assertThatThrownBy(rig::runMails).hasMessageContaining("the predicate raised");
            assertThat(rig.counter("batchesFailedByException")).isEqualTo(1);
        }
    }
}
