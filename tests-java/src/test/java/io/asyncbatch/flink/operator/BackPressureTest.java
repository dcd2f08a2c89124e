package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import io.asyncbatch.flink.operator.inflight.InputHold;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.runtime.execution.CancelTaskException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What happens while all slots are taken. Mails of the test run while the operator yields. */
@Timeout(60)
class BackPressureTest {

    private static final long NO_TIMEOUT = Integer.MAX_VALUE;

    @ParameterizedTest
    @EnumSource
    void rowsGatherWhileAllSlotsAreTaken(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(2).capacity(1))) {
            rig.rows(1, 2, 3);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2));
        }
    }

    @ParameterizedTest
    @EnumSource
    void inputWaitsUntilItsBatchHasASlot(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(2).capacity(1))) {
            rig.rows(1, 2, 3);
            rig.mail(
                    () -> {
                        assertThat(rig.invoker.invocations).hasSize(1);
                        rig.invoker.invocations.get(0).succeed();
                    });
            rig.rows(4);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2), List.of(3, 4));
            assertThat(rig.output()).containsExactly("10", "20");
            assertThat(rig.timers.active()).as("the deadline of what is in flight").isOne();
        }
    }

    @ParameterizedTest
    @EnumSource
    void inputWaitsWhileWhatIsInFlightIsTooHeavy(OutputMode mode) throws Exception {
        Settings settings = Settings.of(mode).batchSize(1).capacity(9).maxBytes(10);
        try (var rig = OperatorRig.open(settings.maxBytesInFlight(10))) {
            rig.rows(4, 6);
            assertThat(rig.invoker.batches()).containsExactly(List.of(4), List.of(6));
            assertThat(rig.gauge("inflightBytes")).isEqualTo(10L);
            rig.mail(
                    () -> {
                        assertThat(rig.invoker.invocations).hasSize(2);
                        rig.invoker.invocations.get(0).succeed();
                    });
            rig.rows(3);
            assertThat(rig.invoker.batches()).endsWith(List.of(3));
            assertThat(rig.gauge("inflightBytes")).isEqualTo(9L);
        }
    }

    @ParameterizedTest
    @EnumSource
    void aBatchThatIsTooHeavyGoesAlone(OutputMode mode) throws Exception {
        Settings settings = Settings.of(mode).batchSize(1).capacity(9).maxBytes(5);
        try (var rig = OperatorRig.open(settings.maxBytesInFlight(5))) {
            rig.rows(1);
            rig.mail(rig.invoker.invocations.get(0)::succeed);
            rig.rows(70);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1), List.of(70));
            rig.mail(
                    () -> {
                        assertThat(rig.invoker.invocations).hasSize(2);
                        rig.invoker.invocations.get(1).succeed();
                    });
            rig.rows(2);
            assertThat(rig.invoker.batches()).endsWith(List.of(2));
        }
    }

    /** Nobody else knows of the timer that lets the next row in. */
    @ParameterizedTest
    @EnumSource
    void aTaskThatEndsWhileItsInputWaitsLeavesNoTimer(OutputMode mode) throws Exception {
        OperatorRig<Integer> ended = OperatorRig.open(Settings.of(mode).batchSize(1).capacity(1));
        try (var rig = ended) {
            rig.rows(1);
            rig.mail(
                    () -> {
                        throw new CancelTaskException();
                    });
            assertThatThrownBy(() -> rig.rows(2)).isInstanceOf(CancelTaskException.class);
        }
        assertThat(ended.timers.active()).isZero();
    }

    /** A row that waits for a slot would otherwise be lost with a checkpoint taken meanwhile. */
    @Test
    void waitingRowIsInTheSnapshot() throws Exception {
        List<List<String>> restored = new ArrayList<>();
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1).capacity(1))) {
            rig.rows(1);
            rig.mail(
                    () -> {
                        restored.add(StateTest.replay(rig.snapshot()));
                        rig.invoker.invocations.get(0).succeed();
                    });
            rig.rows(2);
        }
        assertThat(restored).containsExactly(List.of("10", "20"));
    }

    @Test
    void inOrderAFinishedBatchHoldsItsSlotUntilItLeft() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1).capacity(2))) {
            rig.rows(1, 2).succeed(1);
            assertThat(rig.gauge("inflightBatches")).isEqualTo(2);
            rig.mail(
                    () -> {
                        assertThat(rig.invoker.invocations).hasSize(2);
                        rig.invoker.invocations.get(0).succeed();
                    });
            rig.rows(3);
            assertThat(rig.invoker.invocations).hasSize(3);
            assertThat(rig.output()).containsExactly("10", "20");
        }
    }

    @Test
    void outOfOrderAFinishedBatchFreesItsSlot() throws Exception {
        try (var rig = OperatorRig.open(Settings.unordered().batchSize(1).capacity(2))) {
            rig.rows(1, 2).succeed(1).rows(3);
            assertThat(rig.invoker.invocations).hasSize(3);
            assertThat(rig.output()).containsExactly("20");
        }
    }

    /** The timer's callback must not wait: it runs inside the wait of the input. */
    @ParameterizedTest
    @EnumSource
    void aBatchsTimeComesWhileInputWaits(OutputMode mode) throws Exception {
        try (var rig =
                OperatorRig.open(Settings.of(mode).batchSize(3).batchTimeout(10).capacity(1))) {
            rig.rows(1, 2, 3, 4, 5);
            rig.whileYielding(() -> rig.rows(6, 7), () -> rig.timers.advance(1));
            assertThat(rig.timers.getCurrentProcessingTime()).isGreaterThan(20);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2, 3));
            rig.succeed(0).succeed(1).advance(1);
            assertThat(rig.invoker.batches())
                    .containsExactly(List.of(1, 2, 3), List.of(4, 5, 6), List.of(7));
        }
    }

    @ParameterizedTest
    @EnumSource
    void deadlinesPassWhileInputWaits(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(1).capacity(1).timeout(5))) {
            rig.rows(1);
            rig.mail(() -> rig.timers.advance(5));
            rig.mail(() -> rig.mail(() -> rig.invoker.timeouts.get(0).succeed(List.of(-1))));
            rig.rows(2);
            assertThat(rig.output()).containsExactly("-1");
            assertThat(rig.invoker.batches()).containsExactly(List.of(1), List.of(2));
        }
    }

    @ParameterizedTest
    @EnumSource
    void endOfInputWaitsForAllThatWaits(OutputMode mode) throws Exception {
        try (var rig =
                OperatorRig.open(Settings.of(mode).batchSize(2).batchTimeout(10).capacity(1))) {
            rig.rows(1, 2, 3).advance(10);
            rig.watermark(7);
            rig.finish();
            assertThat(rig.output()).containsExactly("10", "20", "30", "W:7");
        }
    }

    /** A big backlog leaves in several mails, so that others get their turn between them. */
    @ParameterizedTest
    @EnumSource
    void emissionIsBoundedPerMail(OutputMode mode) throws Exception {
        int limit = AsyncBatchWaitOperator.EMITTED_PER_MAIL;
        int rows = limit * 2 + 1;
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(rows))) {
            for (int row = 0; row < rows; row++) {
                rig.rows(row);
            }
            rig.invoker.invocations.get(0).succeed();
            List<Integer> seen = new ArrayList<>();
            while (rig.runMail()) {
                seen.add(rig.output().size());
            }
            assertThat(seen).containsExactly(limit, limit * 2, rows);
        }
    }

    /** It stands right behind a watermark that waits for a row of the backlog. */
    @ParameterizedTest
    @EnumSource
    void aBatchThatFinishesWhileABacklogLeavesLeavesOnce(OutputMode mode) throws Exception {
        int rows = AsyncBatchWaitOperator.EMITTED_PER_MAIL + 1;
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(rows))) {
            for (int row = 0; row < rows; row++) {
                rig.rows(row);
            }
            rig.watermark(1);
            for (int row = 0; row < rows; row++) {
                rig.rows(row);
            }
            rig.invoker.invocations.get(0).succeed();
            rig.invoker.invocations.get(1).succeed();
            rig.runMails();
            assertThat(rig.output()).hasSize(rows + 1 + rows);
            assertThat(rig.output().get(rows)).isEqualTo("W:1");
            assertThat(rig.gauge("inflightBatches")).isEqualTo(0);
            assertThat(rig.gauge("pendingOrderedBatches")).isEqualTo(0);
        }
    }

    @ParameterizedTest
    @EnumSource
    void watermarksCountAmongWhatAMailEmits(OutputMode mode) throws Exception {
        int limit = AsyncBatchWaitOperator.EMITTED_PER_MAIL;
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(limit))) {
            for (int row = 0; row < limit; row++) {
                rig.rows(row).watermark(row);
            }
            rig.invoker.invocations.get(0).succeed();
            List<Integer> seen = new ArrayList<>();
            while (rig.runMail()) {
                seen.add(rig.output().size());
            }
            assertThat(seen).startsWith(limit, limit * 2);
        }
    }

    /**
     * Otherwise the few rows that are let in would become batches of their own, one after another.
     */
    @ParameterizedTest
    @EnumSource
    void aBatchWhoseTimeComesWhileNoSlotIsFreeTakesMoreRows(OutputMode mode) throws Exception {
        try (var rig =
                OperatorRig.open(Settings.of(mode).batchSize(4).batchTimeout(10).capacity(1))) {
            rig.rows(1, 2, 3, 4).rows(5).advance(10).rows(6).advance(50).rows(7);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2, 3, 4));
            rig.succeed(0).rows(8);
            assertThat(rig.invoker.batches()).endsWith(List.of(5, 6, 7, 8));
        }
    }

    @ParameterizedTest
    @EnumSource
    void aBatchWhoseTimeCameClosesSoonAfterASlotIsFree(OutputMode mode) throws Exception {
        try (var rig =
                OperatorRig.open(Settings.of(mode).batchSize(4).batchTimeout(10).capacity(1))) {
            rig.rows(1, 2, 3, 4).rows(5).advance(10).rows(6).succeed(0);
            assertThat(rig.invoker.batches()).hasSize(1);
            rig.advance(1);
            assertThat(rig.invoker.batches()).endsWith(List.of(5, 6));
            assertThat(rig.counter("batchesClosedByTimeout")).isEqualTo(1);
        }
    }

    /** A flush that was postponed belongs to its batch like any other. */
    @Test
    void aPostponedFlushClosesNoLaterBatch() throws Exception {
        try (var rig =
                OperatorRig.open(Settings.ordered().batchSize(2).batchTimeout(10).capacity(2))) {
            rig.rows(1, 2, 3, 4, 5).advance(10).succeed(0).succeed(1);
            rig.rows(6, 7).advance(1);
            assertThat(rig.invoker.batches())
                    .containsExactly(List.of(1, 2), List.of(3, 4), List.of(5, 6));
            rig.advance(9);
            assertThat(rig.invoker.batches()).endsWith(List.of(7));
        }
    }

    /** Only between rows can a task take a checkpoint. */
    @ParameterizedTest
    @EnumSource
    void rowsAreLetInMoreAndMoreSeldomWhileNoCallEnds(OutputMode mode) throws Exception {
        List<Integer> letIn = new ArrayList<>();
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(1).capacity(1))) {
            rig.rows(1);
            rig.whileYielding(
                    () -> {
                        for (int row = 2; row <= 41; row++) {
                            rig.rows(row);
                            letIn.add((int) rig.timers.getCurrentProcessingTime());
                        }
                    },
                    () -> rig.timers.advance(1));
            assertThat(rig.invoker.batches()).containsExactly(List.of(1));
            assertThat(StateTest.replay(rig.snapshot())).hasSize(41);
        }
        List<Integer> pauses = new ArrayList<>();
        int before = 0;
        for (int time : letIn) {
            pauses.add(time - before);
            before = time;
        }
        // The clock ticks between two looks at it.
        assertThat(pauses.get(0)).isBetween(10, 11);
        assertThat(pauses.get(39)).isBetween(500, 501);
        for (int row = 1; row < pauses.size(); row++) {
            assertThat(pauses.get(row))
                    .as("a barrier waits for a small part of the time since the operator is full")
                    .isLessThanOrEqualTo(12 + letIn.get(row - 1) / 4);
        }
    }

    @Test
    void nothingIsLetInOnceTooManyRowsWait() throws Exception {
        Settings settings = Settings.unordered().batchSize(1).capacity(1).timeout(NO_TIMEOUT);
        try (var rig = OperatorRig.open(settings)) {
            assertThat(rowsTakenWhileNoCallEnds(rig, InputHold.MOST_ROWS + 100))
                    .isEqualTo(1 + InputHold.MOST_ROWS);
        }
    }

    @Test
    void nothingIsLetInOnceTheRowsThatWaitWeighTooMuch() throws Exception {
        Settings settings =
                Settings.unordered().batchSize(1).capacity(1).timeout(NO_TIMEOUT).maxBytes(100);
        try (var rig = OperatorRig.create(settings.build(), value -> 5).opened()) {
            assertThat(rowsTakenWhileNoCallEnds(rig, 100)).isEqualTo(1 + 19);
        }
    }

    @Test
    void aFewRowsAreLetInHoweverHeavyTheyAre() throws Exception {
        Settings settings =
                Settings.unordered().batchSize(1).capacity(1).timeout(NO_TIMEOUT).maxBytes(100);
        try (var rig = OperatorRig.create(settings.build(), value -> 1_000).opened()) {
            assertThat(rowsTakenWhileNoCallEnds(rig, 100)).isEqualTo(1 + InputHold.FEWEST_ROWS);
        }
    }

    /** Offers rows, lets calls end only when time alone brings no further one in. */
    private static int rowsTakenWhileNoCallEnds(OperatorRig<Integer> rig, int offered)
            throws Exception {
        int[] taken = {0};
        int[] takenBefore = {-1};
        int[] pausesInVain = {0};
        List<Integer> takenWithoutSlot = new ArrayList<>();
        rig.whileYielding(
                () -> {
                    for (int row = 0; row < offered; row++) {
                        rig.rows(row);
                        taken[0]++;
                    }
                },
                () -> {
                    rig.timers.advance(InputHold.LONGEST_PAUSE_MILLIS);
                    pausesInVain[0] = taken[0] == takenBefore[0] ? pausesInVain[0] + 1 : 0;
                    takenBefore[0] = taken[0];
                    if (pausesInVain[0] > 10) {
                        takenWithoutSlot.add(taken[0]);
                        rig.invoker.answersAtOnce = true;
                        rig.invoker.invocations.get(0).succeed();
                    }
                });
        return takenWithoutSlot.get(0);
    }
}
