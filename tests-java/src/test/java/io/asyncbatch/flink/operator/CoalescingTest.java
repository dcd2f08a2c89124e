package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.RowGrouping;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import io.asyncbatch.flink.operator.inflight.InputHold;
import java.util.List;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.api.java.tuple.Tuple1;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Rows that are equal and in flight together. A row's key is its last digit; 0 has none. */
@Timeout(60)
class CoalescingTest {

    private static final RowGrouping<Integer> BY_LAST_DIGIT =
            by(row -> row % 10 == 0 ? null : row % 10);

    private static RowGrouping<Integer> by(KeySelector<Integer, Object> key) {
        return RowGrouping.<Integer>builder().coalesceKey(key).build();
    }

    private static OperatorRig<Integer> open(Settings settings) throws Exception {
        return OperatorRig.open(settings, BY_LAST_DIGIT);
    }

    @ParameterizedTest
    @EnumSource
    void equalRowsInFlightAreComputedOnce(OutputMode mode) throws Exception {
        try (var rig = open(Settings.of(mode).batchSize(2))) {
            rig.row(1, 1).row(2, 2).row(11, 3).row(22, 4).row(21, 5);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2));
            assertThat(rig.gauge("followingRows")).isEqualTo(3);
            rig.succeed(0);
            assertThat(rig.output())
                    .containsExactlyInAnyOrder("10@1", "20@2", "10@3", "20@4", "10@5");
            assertThat(rig.gauge("followingRows")).isEqualTo(0);
            assertThat(rig.counter("coalescedRows")).isEqualTo(3);
            assertThat(rig.gauge("inflightBatches")).isEqualTo(0);
        }
    }

    @ParameterizedTest
    @EnumSource
    void rowsFollowOneThatIsStillForming(OutputMode mode) throws Exception {
        try (var rig = open(Settings.of(mode).batchSize(2))) {
            rig.rows(1, 11, 2);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2));
        }
    }

    @ParameterizedTest
    @EnumSource
    void aResultThatIsThereIsNotRemembered(OutputMode mode) throws Exception {
        try (var rig = open(Settings.of(mode).batchSize(1))) {
            rig.rows(1).succeed(0).rows(11);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1), List.of(11));
        }
    }

    @ParameterizedTest
    @EnumSource
    void rowsWithoutAKeyAreComputedEach(OutputMode mode) throws Exception {
        try (var rig = open(Settings.of(mode).batchSize(2))) {
            rig.rows(10, 20);
            assertThat(rig.invoker.batches()).containsExactly(List.of(10, 20));
        }
    }

    @Test
    void orderedResultsLeaveInInputOrder() throws Exception {
        try (var rig = open(Settings.ordered().batchSize(1))) {
            rig.rows(1, 2, 11, 3, 12).watermark(9).rows(21);
            rig.succeed(1).succeed(2);
            assertThat(rig.output()).isEmpty();
            rig.succeed(0);
            assertThat(rig.output()).containsExactly("10", "20", "10", "30", "20", "W:9", "10");
        }
    }

    @Test
    void unorderedFollowersLeaveWithTheirLeaderAndNoWatermarkOvertakesThem() throws Exception {
        try (var rig = open(Settings.unordered().batchSize(1))) {
            rig.row(1, 1).row(2, 2).row(11, 3).watermark(3).row(21, 4).row(12, 5);
            rig.succeed(1);
            assertThat(rig.output()).containsExactly("20@2");
            rig.succeed(0);
            assertThat(rig.output()).containsExactly("20@2", "10@1", "10@3", "W:3", "10@4", "20@5");
        }
    }

    @ParameterizedTest
    @EnumSource
    void eachRowHasACopyOfItsOwn(OutputMode mode) throws Exception {
        KeySelector<Tuple1<Integer>, Integer> key = row -> row.f0 % 10;
        try (OperatorRig<Tuple1<Integer>> rig =
                OperatorRig.create(
                        Settings.of(mode).batchSize(1),
                        Types.TUPLE(Types.INT),
                        row -> Tuple1.of(row.f0 * 10),
                        RowGrouping.<Tuple1<Integer>>builder().coalesceKey(key).build())) {
            rig.opened();
            rig.rows(Tuple1.of(1), Tuple1.of(11)).succeed(0);
            assertThat(rig.output()).containsExactly("(10)", "(10)");
            List<Object> results =
                    rig.harness.getOutput().stream()
                            .<Object>map(record -> ((StreamRecord<?>) record).getValue())
                            .toList();
            assertThat(results.get(0)).isNotSameAs(results.get(1));
        }
    }

    // -------------------------------------------------------------- failures

    @ParameterizedTest
    @EnumSource
    void whatTheFunctionSaysOfARowHoldsForItsEquals(OutputMode mode) throws Exception {
        try (var rig = open(Settings.of(mode).batchSize(2).onFailure(OnFailure.DEAD_LETTER))) {
            rig.row(1, 1).row(2, 2).row(11, 3);
            rig.invoker.invocations.get(0).failRows(new IllegalStateException("toxic"), 0);
            rig.runMails();
            assertThat(rig.invoker.invocations).hasSize(1);
            assertThat(rig.output()).containsExactly("20@2");
            assertThat(rig.deadLetters())
                    .containsExactly("1 ROW_FAILURE toxic 1@1", "11 ROW_FAILURE toxic 1@3");
            assertThat(rig.counter("rowsFailedByFunction")).isEqualTo(2);
        }
    }

    /** Any of its neighbours may be what makes it fail. */
    @ParameterizedTest
    @EnumSource
    void followersOfARowWhoseCallFailedForAllAreComputed(OutputMode mode) throws Exception {
        try (var rig = open(Settings.of(mode).batchSize(2).onFailure(OnFailure.DEAD_LETTER))) {
            rig.row(1, 1).row(2, 2).row(11, 3).row(21, 4);
            rig.invoker.invocations.get(0).fail(new IllegalStateException("no"));
            rig.runMails();
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2), List.of(11, 21));
            rig.succeed(1);
            assertThat(rig.output()).containsExactly("110@3", "210@4");
            assertThat(rig.deadLetters())
                    .containsExactly("1 EXCEPTION no 1@1", "2 EXCEPTION no 1@2");
        }
    }

    @ParameterizedTest
    @EnumSource
    void followersOfARowWhoseOwnCallFailedFailWithIt(OutputMode mode) throws Exception {
        Settings settings = Settings.of(mode).batchSize(2).onFailure(OnFailure.DEAD_LETTER);
        try (var rig = open(settings.isolating())) {
            rig.rows(1, 2, 11);
            rig.invoker.invocations.get(0).fail(new IllegalStateException("no"));
            rig.runMails();
            rig.invoker.invocations.get(1).fail(new IllegalStateException("no"));
            rig.runMails();
            rig.succeed(2);
            assertThat(rig.deadLetters()).containsExactly("1 EXCEPTION no 2", "11 EXCEPTION no 2");
            assertThat(rig.output()).containsExactly("20");
        }
    }

    @ParameterizedTest
    @EnumSource
    void substitutesOfATimeoutAreForTheRowAlone(OutputMode mode) throws Exception {
        try (var rig = open(Settings.of(mode).batchSize(1).timeout(100))) {
            rig.row(1, 1).row(11, 2).row(21, 3).advance(100);
            rig.invoker.timeouts.get(0).succeed(List.of(-1));
            rig.runMails();
            assertThat(rig.output()).containsExactly("-1@1");
            assertThat(rig.invoker.batches()).containsExactly(List.of(1), List.of(11), List.of(21));
            rig.advance(99);
            assertThat(rig.invoker.timeouts).as("their time begins with their call").hasSize(1);
            rig.succeed(1).succeed(2);
            assertThat(rig.output()).containsExactly("-1@1", "110@2", "210@3");
        }
    }

    @ParameterizedTest
    @EnumSource
    void aRowThatEndsWorkersTakesItsFollowersAlong(OutputMode mode) throws Exception {
        Settings settings = Settings.of(mode).batchSize(1).onFailure(OnFailure.DEAD_LETTER);
        try (var rig = open(settings)) {
            rig.rows(1, 11);
            rig.invoker.invocations.get(0).lose(1);
            rig.runMails();
            rig.invoker.invocations.get(1).lose(1);
            rig.runMails();
            assertThat(rig.deadLetters())
                    .containsExactly("1 WORKER_LOST killed 2", "11 WORKER_LOST killed 2");
        }
    }

    /**
     * Row 11 has no place when its leader ends; the leader's batch keeps the only one, since row 2
     * has to wait for row 11.
     */
    @ParameterizedTest
    @EnumSource
    void rowsThatWaitedInVainAreComputedThoughOthersWaitForThem(OutputMode mode) throws Exception {
        Settings settings = Settings.of(mode).batchSize(2).capacity(1).timeout(100);
        try (var rig = open(settings)) {
            rig.rows(1, 11).watermark(1).rows(2).advance(100);
            rig.invoker.timeouts.get(0).succeed(List.of(-1, -2));
            rig.runMails();
            assertThat(rig.output()).containsExactly("-1");
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2), List.of(11));
            rig.succeed(1);
            assertThat(rig.output()).containsExactly("-1", "110", "W:1", "-2");
            assertThat(rig.gauge("inflightBatches")).isEqualTo(0);
        }
    }

    /** Row 3 is in no batch yet, and the only place is row 11's, which has to wait for row 3. */
    @ParameterizedTest
    @EnumSource
    void rowsThatAreFormingGoOnThoughOnesThatWaitedInVainHaveAllPlaces(OutputMode mode)
            throws Exception {
        Settings settings = Settings.of(mode).batchSize(2).batchTimeout(5).capacity(1).timeout(100);
        try (var rig = open(settings)) {
            rig.rows(1, 2, 3).watermark(1).rows(11).advance(100);
            rig.invoker.timeouts.get(0).succeed(List.of(-1, -2));
            rig.runMails();
            rig.succeed(1);
            assertThat(rig.invoker.batches())
                    .containsExactly(List.of(1, 2), List.of(11), List.of(3));
            rig.succeed(2);
            assertThat(rig.output()).containsExactly("-1", "-2", "30", "W:1", "110");
        }
    }

    /** They wait for a place before batches that came later. */
    @Test
    void rowsThatWaitedInVainComeFirst() throws Exception {
        Settings settings = Settings.unordered().batchSize(2).capacity(1).timeout(100);
        try (var rig = open(settings)) {
            rig.rows(1, 2, 11);
            rig.whileYielding(
                    () -> rig.rows(3, 4), () -> rig.timers.advance(InputHold.FIRST_PAUSE_MILLIS));
            rig.advance(100);
            rig.invoker.timeouts.get(0).succeed(List.of(-1, -2));
            rig.runMails();
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2), List.of(11));
            rig.succeed(1);
            assertThat(rig.invoker.batches())
                    .containsExactly(List.of(1, 2), List.of(11), List.of(3, 4));
        }
    }

    // ------------------------------------------------------------ state, bound

    @ParameterizedTest
    @EnumSource
    void restoredRowsCoalesceAgain(OutputMode mode) throws Exception {
        Settings settings = Settings.of(mode).batchSize(2);
        try (var rig = open(settings)) {
            rig.row(1, 1).row(2, 2).row(11, 3).watermark(3).row(12, 4);
            var snapshot = rig.snapshot();
            try (var restored = OperatorRig.create(settings.build(), BY_LAST_DIGIT, 0, 1)) {
                restored.harness.initializeState(snapshot);
                restored.opened();
                assertThat(restored.invoker.batches()).containsExactly(List.of(1, 2));
                restored.succeed(0);
                assertThat(restored.output())
                        .hasSize(5)
                        .endsWith("W:3", "20@4")
                        .contains("10@1", "20@2", "10@3");
            }
        }
    }

    /** Nothing can leave before all of them are there, so there is nothing to gain by haste. */
    @ParameterizedTest
    @EnumSource
    void restoredRowsShareBatchesThoughTooManyFollow(OutputMode mode) throws Exception {
        Settings settings = Settings.of(mode).batchSize(3).timeout(Integer.MAX_VALUE);
        try (var rig = open(settings.capacity(10))) {
            rig.rows(1, 11, 21, 31, 2, 3);
            var snapshot = rig.snapshot();
            Settings smaller = settings.capacity(1);
            try (var restored = OperatorRig.create(smaller.build(), BY_LAST_DIGIT, 0, 1)) {
                restored.harness.initializeState(snapshot);
                restored.opened();
                assertThat(restored.invoker.batches()).containsExactly(List.of(1, 2, 3));
                restored.succeed(0);
                assertThat(restored.output())
                        .containsExactlyInAnyOrder("10", "10", "10", "10", "20", "30");
            }
        }
    }

    /** The state knows nothing of it, so that it may be turned on and off. */
    @ParameterizedTest
    @EnumSource
    void stateIsReadWithoutCoalescingAndWithIt(OutputMode mode) throws Exception {
        Settings settings = Settings.of(mode).batchSize(1).capacity(2);
        try (var rig = open(settings)) {
            rig.row(1, 1).row(11, 2);
            try (var without = OperatorRig.restore(settings, rig.snapshot())) {
                without.succeed(0).succeed(1);
                assertThat(without.output()).containsExactly("10@1", "110@2");
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void resultsThatHaveNotLeftAreSavedAsResults(OutputMode mode) throws Exception {
        Settings settings = Settings.of(mode).batchSize(1);
        try (var rig = open(settings)) {
            rig.row(2, 1).watermark(1).row(1, 2).row(11, 3).succeed(1);
            try (var restored = OperatorRig.create(settings.build(), BY_LAST_DIGIT, 0, 1)) {
                restored.harness.initializeState(rig.snapshot());
                restored.opened();
                assertThat(restored.invoker.batches()).containsExactly(List.of(2));
                restored.succeed(0);
                assertThat(restored.output()).containsExactly("20@1", "W:1", "10@2", "10@3");
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void followersAreBounded(OutputMode mode) throws Exception {
        Settings settings = Settings.of(mode).batchSize(3).capacity(1).timeout(Integer.MAX_VALUE);
        try (var rig = open(settings)) {
            rig.rows(1, 11, 21);
            assertThat(rig.invoker.invocations).isEmpty();
            rig.mail(
                    () -> {
                        assertThat(rig.gauge("followingRows")).isEqualTo(3);
                        assertThat(rig.invoker.batches())
                                .as("what they wait for goes on")
                                .containsExactly(List.of(1));
                        rig.invoker.invocations.get(0).succeed();
                    });
            rig.rows(31);
            assertThat(rig.output()).containsExactly("10", "10", "10", "10");
            assertThat(rig.counter("batchesClosedForWaitingRows")).isOne();
            assertThat(rig.gauge("followingRows")).isEqualTo(0);
        }
    }

    @ParameterizedTest
    @EnumSource
    void followersAreBoundedInBytes(OutputMode mode) throws Exception {
        Settings settings = Settings.of(mode).batchSize(3).maxBytes(50).maxBytesInFlight(50);
        try (var rig = open(settings.timeout(Integer.MAX_VALUE))) {
            rig.rows(1, 11);
            rig.mail(
                    () -> {
                        assertThat(rig.invoker.batches()).containsExactly(List.of(1));
                        rig.invoker.invocations.get(0).succeed();
                    });
            rig.rows(41);
            assertThat(rig.output()).containsExactly("10", "10", "10");
        }
    }

    @ParameterizedTest
    @EnumSource
    void endOfInputWaitsForFollowers(OutputMode mode) throws Exception {
        try (var rig = open(Settings.of(mode).batchSize(9))) {
            rig.rows(1, 2, 11, 21, 12);
            rig.finish();
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2));
            assertThat(rig.output()).containsExactlyInAnyOrder("10", "20", "10", "10", "20");
            assertThat(rig.timers.active()).isZero();
        }
    }

    /**
     * Row 11 is done before row 3 is in a batch, which it never would be: no row comes meanwhile.
     */
    @Test
    void aBarrierThatDrainsClosesWhatRowsThatWaitedInVainWaitFor() throws Exception {
        Settings settings = Settings.ordered().batchSize(2).timeout(100).drainAtCheckpoint();
        try (var rig = open(settings)) {
            rig.rows(1, 2, 3, 11).advance(100);
            rig.invoker.timeouts.get(0).succeed(List.of(-1, -2));
            rig.runMails();
            rig.succeed(1);
            rig.whileCompleting(() -> rig.harness.prepareSnapshotPreBarrier(1));
            assertThat(rig.invoker.batches())
                    .containsExactly(List.of(1, 2), List.of(11), List.of(3));
            assertThat(rig.output()).containsExactly("-1", "-2", "30", "110");
        }
    }

    @Test
    void aBarrierThatDrainsWaitsForFollowersOfWhatIsInFlight() throws Exception {
        try (var rig = open(Settings.ordered().batchSize(2).drainAtCheckpoint())) {
            rig.rows(1, 2, 11, 3);
            rig.whileCompleting(() -> rig.harness.prepareSnapshotPreBarrier(1));
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2));
            assertThat(rig.output()).containsExactly("10", "20", "10");
        }
    }

    // ------------------------------------------------------------------ keys

    @Test
    void bytesAreEqualByContent() throws Exception {
        try (var rig =
                OperatorRig.open(
                        Settings.ordered().batchSize(1),
                        by(row -> new byte[] {(byte) (row % 10)}))) {
            rig.rows(1, 11).succeed(0);
            assertThat(rig.output()).containsExactly("10", "10");
        }
    }

    @Test
    void refusesKeysThatAreNeverEqual() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered(), by(row -> new int[] {row}))) {
            assertThatThrownBy(() -> rig.rows(1))
                    .hasMessage(
                            "coalesce_key must return null, bytes or a value whose equals looks at"
                                    + " its content, got int[] for a row of java.lang.Integer");
        }
    }

    @Test
    void whatTheKeySelectorThrowsIsNamed() throws Exception {
        KeySelector<Integer, Object> broken =
                row -> {
                    throw new IllegalArgumentException("planted");
                };
        try (var rig = OperatorRig.open(Settings.ordered(), by(broken))) {
            assertThatThrownBy(() -> rig.rows(1))
                    .hasMessage(
                            "coalesce_key failed for a row of java.lang.Integer:"
                                    + " java.lang.IllegalArgumentException")
                    .hasRootCauseMessage("planted");
        }
    }

    @ParameterizedTest
    @EnumSource
    void weightsOfFollowersCountForNothing(OutputMode mode) throws Exception {
        RowGrouping<Integer> grouping =
                RowGrouping.<Integer>builder()
                        .weigh(row -> row, 25)
                        .coalesceKey(row -> row % 10)
                        .build();
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(9), grouping)) {
            rig.rows(1, 21, 2, 22);
            assertThat(rig.invoker.invocations).isEmpty();
            rig.rows(23);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2));
            rig.invoker.invocations.get(0).report(BatchOutcome.success(List.of(10, 20)));
            rig.runMails();
            assertThat(rig.output()).containsExactlyInAnyOrder("10", "10", "20", "20");
        }
    }
}
