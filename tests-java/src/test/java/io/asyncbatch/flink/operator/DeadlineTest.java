package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import io.asyncbatch.flink.operator.inflight.Deadlines;
import java.util.List;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a batch's deadline does, in every order in which it and the results may come. */
@Timeout(60)
class DeadlineTest {

    @ParameterizedTest
    @EnumSource
    void timeoutHandlerFailsTheTask(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(2).timeout(10))) {
            rig.rows(1, 2).advance(9);
            assertThat(rig.invoker.timeouts).isEmpty();
            rig.advance(1);
            assertThat(rig.invoker.timeouts.get(0).inputs()).containsExactly(1, 2);
            rig.invoker.timeouts.get(0).fail(new TimeoutException("too slow"));
            assertThatThrownBy(rig::runMails)
                    .hasMessage("Could not complete the batch of 2 rows (batch 1): too slow")
                    .hasRootCauseInstanceOf(TimeoutException.class);
            assertThat(rig.output()).isEmpty();
        }
    }

    @ParameterizedTest
    @EnumSource
    void timeoutHandlerSuppliesTheResults(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(2).timeout(10))) {
            rig.row(1, 5).watermark(5).row(2, 6).advance(10);
            rig.invoker.timeouts.get(0).succeed(List.of(-1, -2));
            rig.runMails();
            assertThat(rig.output()).containsExactly("-1@5", "W:5", "-2@6");
            assertThat(rig.timers.active()).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource
    void lateResultIsDroppedAndCounted(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(1).timeout(10))) {
            rig.rows(1).advance(10);
            rig.succeed(0);
            assertThat(rig.output()).isEmpty();
            assertThat(rig.counter("lateResultsDropped")).isOne();
            rig.invoker.timeouts.get(0).succeed(List.of(-1));
            rig.runMails();
            assertThat(rig.output()).containsExactly("-1");
            assertThat(rig.counter("batchTimeoutCount")).isOne();
        }
    }

    @ParameterizedTest
    @EnumSource
    void resultAfterTheTimeoutAnswerIsDropped(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(1).timeout(10))) {
            rig.rows(1).advance(10);
            rig.invoker.timeouts.get(0).succeed(List.of(-1));
            rig.runMails().succeed(0);
            assertThat(rig.output()).containsExactly("-1");
            assertThat(rig.counter("lateResultsDropped")).isOne();
        }
    }

    @Test
    void lateFailureOfATimedOutBatchIsDropped() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1).timeout(10))) {
            rig.rows(1).advance(10);
            rig.invoker.invocations.get(0).fail(new RuntimeException("cancelled"));
            rig.runMails();
            rig.invoker.timeouts.get(0).succeed(List.of(-1));
            rig.runMails();
            assertThat(rig.output()).containsExactly("-1");
        }
    }

    /** FLINK-22573, FLINK-13605: both mails wait while the mailbox thread is busy. */
    @ParameterizedTest
    @EnumSource
    void deadlineThatPassedBeforeTheResultWasLookedAtDoesNothing(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(1).timeout(10))) {
            rig.rows(1);
            rig.invoker.invocations.get(0).succeed();
            rig.timers.advance(10);
            rig.runMails();
            assertThat(rig.invoker.timeouts).isEmpty();
            assertThat(rig.output()).containsExactly("10");
        }
    }

    @ParameterizedTest
    @EnumSource
    void completionLeavesNoTimer(OutputMode mode) throws Exception {
        try (var rig =
                OperatorRig.open(Settings.of(mode).batchSize(2).batchTimeout(5).timeout(10))) {
            rig.rows(1, 2, 3, 4);
            assertThat(rig.timers.active()).isEqualTo(2);
            rig.succeed(1).succeed(0);
            assertThat(rig.timers.active()).isZero();
        }
    }

    @Test
    void eachBatchHasItsOwnDeadlineFromItsDispatch() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1).capacity(1).timeout(10))) {
            rig.rows(1).advance(6);
            rig.mail(() -> rig.invoker.invocations.get(0).succeed());
            rig.rows(2).advance(9);
            assertThat(rig.invoker.timeouts).isEmpty();
            rig.advance(1);
            assertThat(rig.invoker.timeouts.get(0).inputs()).containsExactly(2);
        }
    }

    @Test
    void bufferedRowHasNoDeadline() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(2).timeout(10))) {
            rig.rows(1).advance(1_000);
            assertThat(rig.invoker.timeouts).isEmpty();
        }
    }

    /** A stuck worker must not hang the job. */
    @ParameterizedTest
    @EnumSource
    void timeoutHandlerThatNeverAnswersFailsTheTask(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(2).timeout(10))) {
            rig.rows(1, 2).advance(10);
            rig.advance(Deadlines.TIMEOUT_ANSWER_GRACE_MILLIS - 1);
            assertThatThrownBy(() -> rig.advance(1))
                    .hasMessageContaining("passed its timeout of 10 ms")
                    .hasMessageContaining("did not answer within 30000 ms")
                    .hasRootCauseInstanceOf(TimeoutException.class);
        }
    }

    /** Both mails wait while the mailbox thread is busy. */
    @ParameterizedTest
    @EnumSource
    void graceThatEndedBeforeTheAnswerWasLookedAtDoesNothing(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(1).timeout(10))) {
            rig.rows(1).advance(10);
            rig.invoker.timeouts.get(0).succeed(List.of(-1));
            rig.advance(Deadlines.TIMEOUT_ANSWER_GRACE_MILLIS);
            assertThat(rig.output()).containsExactly("-1");
        }
    }

    @Test
    void timeoutHandlersResultsAreCountedToo() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(2).timeout(10))) {
            rig.rows(1, 2).advance(10);
            rig.invoker.timeouts.get(0).succeed(List.of(-1));
            assertThatThrownBy(rig::runMails).hasMessageContaining("2 inputs, but it has 1");
        }
    }

    /** FLINK-38082: an exception of the handler is final. */
    @Test
    void failureOfTheTimeoutHandlerInvokesNothingAgain() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1).timeout(10))) {
            rig.rows(1).advance(10);
            rig.invoker.timeouts.get(0).fail(new IllegalStateException("handler"));
            assertThatThrownBy(rig::runMails).hasMessageContaining("handler");
            assertThat(rig.invoker.invocations).hasSize(1);
            assertThat(rig.invoker.timeouts).hasSize(1);
        }
    }
}
