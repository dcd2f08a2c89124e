package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What becomes of single rows of a batch: those that fail, and those that are ready early. */
class RowOutcomeTest {

    private static final RuntimeException BAD = new IllegalStateException("bad row");

    @ParameterizedTest
    @EnumSource
    void aRowThatFailsIsADeadLetterAndItsNeighboursLeave(OutputMode mode) throws Exception {
        Settings settings = Settings.of(mode).batchSize(3).onFailure(OnFailure.DEAD_LETTER);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            rig.row(1, 10L).row(2, 20L).row(3, 30L);
            rig.invoker.invocations.get(0).failRows(BAD, 1);
            rig.runMails();
            assertThat(rig.output()).containsExactly("10@10", "30@30");
            assertThat(rig.deadLetters()).containsExactly("2 ROW_FAILURE bad row 1@20");
            assertThat(rig.counter("rowsFailedByFunction")).isEqualTo(1);
            assertThat(rig.gauge("inflightBatches")).isEqualTo(0);
        }
    }

    @Test
    void aRowThatFailsIsLeftOut() throws Exception {
        Settings settings = Settings.ordered().batchSize(3).onFailure(OnFailure.SKIP);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            rig.rows(1, 2, 3);
            rig.invoker.invocations.get(0).failRows(BAD, 0, 2);
            rig.runMails();
            assertThat(rig.output()).containsExactly("20");
            assertThat(rig.deadLetters()).isEmpty();
            assertThat(rig.counter("rowsFailedByFunction")).isEqualTo(2);
        }
    }

    @Test
    void aRowThatFailsFailsTheTaskUnlessContained() throws Exception {
        try (OperatorRig<Integer> rig = OperatorRig.open(Settings.ordered().batchSize(3))) {
            rig.rows(1, 2, 3);
            rig.invoker.invocations.get(0).failRows(BAD, 1);
            assertThatThrownBy(rig::runMails).hasMessageContaining("bad row");
            assertThat(rig.output()).isEmpty();
            assertThat(rig.counter("batchesFailedByRow")).isEqualTo(1);
        }
    }

    @Test
    void aWatermarkWaitsForRowsThatFailedToo() throws Exception {
        Settings settings = Settings.unordered().batchSize(2).onFailure(OnFailure.SKIP);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            rig.rows(1, 2).watermark(5);
            assertThat(rig.output()).isEmpty();
            rig.invoker.invocations.get(0).failRows(BAD, 0, 1);
            rig.runMails();
            assertThat(rig.output()).containsExactly("W:5");
        }
    }

    @Test
    void aDeadLetterThatHasNotLeftIsInTheSnapshot() throws Exception {
        Settings settings = Settings.ordered().batchSize(2).onFailure(OnFailure.DEAD_LETTER);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            rig.rows(1, 2, 3, 4);
            rig.invoker.invocations.get(1).failRows(BAD, 1);
            rig.runMails();
            assertThat(rig.deadLetters()).isEmpty();
            try (OperatorRig<Integer> restored = OperatorRig.restore(settings, rig.snapshot())) {
                assertThat(restored.invoker.batches()).containsExactly(List.of(1, 2));
                restored.succeed(0);
                assertThat(restored.output()).containsExactly("10", "20", "30");
                assertThat(restored.deadLetters()).containsExactly("4 ROW_FAILURE bad row 1");
            }
            try (OperatorRig<Integer> strict =
                    OperatorRig.restore(Settings.ordered().batchSize(2), rig.snapshot())) {
                assertThat(strict.invoker.batches())
                        .as("where it is no longer contained it is computed again")
                        .containsExactly(List.of(1, 2));
                strict.finish();
                assertThat(strict.invoker.batches()).contains(List.of(4));
                assertThat(strict.output()).containsExactly("10", "20", "30", "40");
            }
        }
    }

    // ------------------------------------------------------------ early rows

    @Test
    void unorderedRowsLeaveWhenTheyAreReady() throws Exception {
        try (OperatorRig<Integer> rig = OperatorRig.open(Settings.unordered().batchSize(3))) {
            rig.rows(1, 2, 3);
            rig.invoker.invocations.get(0).yieldRows(2);
            rig.runMails();
            assertThat(rig.output()).containsExactly("30");
            rig.invoker.invocations.get(0).yieldRows(0);
            rig.runMails();
            assertThat(rig.output()).containsExactly("30", "10");
            rig.invoker.invocations.get(0).succeed(List.of(20));
            rig.runMails();
            assertThat(rig.output()).containsExactly("30", "10", "20");
            assertThat(rig.gauge("inflightBatches")).isEqualTo(0);
        }
    }

    @Test
    void orderedRowsLeaveAsSoonAsThoseBeforeThemHave() throws Exception {
        try (OperatorRig<Integer> rig = OperatorRig.open(Settings.ordered().batchSize(3))) {
            rig.rows(1, 2, 3);
            rig.invoker.invocations.get(0).yieldRows(0, 2);
            rig.runMails();
            assertThat(rig.output()).containsExactly("10");
            rig.invoker.invocations.get(0).succeed(List.of(20));
            rig.runMails();
            assertThat(rig.output()).containsExactly("10", "20", "30");
        }
    }

    @Test
    void noEarlyRowCrossesAWatermark() throws Exception {
        try (OperatorRig<Integer> rig = OperatorRig.open(Settings.unordered().batchSize(3))) {
            rig.rows(1, 2).watermark(5).rows(3);
            rig.invoker.invocations.get(0).yieldRows(1, 2);
            rig.runMails();
            assertThat(rig.output()).containsExactly("20");
            rig.invoker.invocations.get(0).yieldRows(0);
            rig.runMails();
            assertThat(rig.output()).containsExactly("20", "10", "W:5", "30");
        }
    }

    @Test
    void aBatchAllOfWhoseRowsWereEarlyIsDone() throws Exception {
        Settings settings = Settings.unordered().batchSize(2).capacity(1);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            rig.rows(1, 2);
            rig.invoker.invocations.get(0).yieldRows(0, 1);
            rig.runMails();
            assertThat(rig.output()).containsExactly("10", "20");
            assertThat(rig.gauge("inflightBatches")).isEqualTo(0);
            rig.invoker.invocations.get(0).succeed(List.of());
            rig.runMails();
            assertThat(rig.counter("totalBatchesProcessed")).isEqualTo(1);
            assertThat(rig.timers.active()).isZero();
        }
    }

    @Test
    void onlyRowsThatWereNotEarlyAreCalledForAgain() throws Exception {
        try (OperatorRig<Integer> rig = OperatorRig.open(Settings.unordered().batchSize(3))) {
            rig.rows(1, 2, 3);
            rig.invoker.invocations.get(0).yieldRows(1);
            rig.invoker.invocations.get(0).retry(5);
            rig.runMails();
            rig.advance(5);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2, 3), List.of(1, 3));
            assertThat(rig.invoker.invocations.get(1).request.attempt()).isEqualTo(2);
            rig.succeed(1);
            assertThat(rig.output()).containsExactly("20", "10", "30");
        }
    }

    @Test
    void onlyRowsThatWereNotEarlyTimeOut() throws Exception {
        try (OperatorRig<Integer> rig = OperatorRig.open(Settings.unordered().batchSize(3))) {
            rig.rows(1, 2, 3);
            rig.invoker.invocations.get(0).yieldRows(1);
            rig.runMails();
            rig.advance(1_000);
            assertThat(rig.invoker.timeouts.get(0).inputs()).containsExactly(1, 3);
            rig.invoker.invocations.get(0).yieldRows(0);
            rig.runMails();
            assertThat(rig.counter("lateResultsDropped")).isEqualTo(1);
            rig.invoker.timeouts.get(0).succeed(List.of(-1, -3));
            rig.runMails();
            assertThat(rig.output()).containsExactly("20", "-1", "-3");
        }
    }

    @Test
    void earlyRowsAreSavedAsResultsAndThoseThatLeftNotAtAll() throws Exception {
        Settings settings = Settings.unordered().batchSize(4);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            rig.rows(1, 2).watermark(5).rows(3, 4);
            rig.invoker.invocations.get(0).yieldRows(1, 3);
            rig.runMails();
            assertThat(rig.output()).containsExactly("20");
            try (OperatorRig<Integer> restored = OperatorRig.restore(settings, rig.snapshot())) {
                restored.finish();
                restored.runMails();
                assertThat(restored.invoker.batches()).containsExactly(List.of(1, 3));
                assertThat(restored.output()).startsWith("10", "W:5");
                assertThat(restored.output()).containsExactlyInAnyOrder("10", "W:5", "30", "40");
            }
        }
    }

    @Test
    void aForeignIndexFailsTheTask() throws Exception {
        try (OperatorRig<Integer> rig = OperatorRig.open(Settings.unordered().batchSize(2))) {
            rig.rows(1, 2);
            rig.invoker.invocations.get(0).yieldRows(2);
            assertThatThrownBy(rig::runMails)
                    .hasMessageContaining("index 2")
                    .hasMessageContaining("0 to 1");
        }
    }

    @Test
    void anIndexGivenTwiceFailsTheTask() throws Exception {
        try (OperatorRig<Integer> rig = OperatorRig.open(Settings.unordered().batchSize(2))) {
            rig.rows(1, 2);
            rig.invoker.invocations.get(0).yieldRows(1);
            rig.invoker.invocations.get(0).yieldRows(1);
            assertThatThrownBy(rig::runMails).hasMessageContaining("index 1");
            assertThat(rig.output()).containsExactly("20");
        }
    }
}
