package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import io.asyncbatch.flink.operator.state.SavedElement;
import io.asyncbatch.flink.operator.state.SavedElementSerializer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeutils.base.IntSerializer;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.state.OperatorStateBackend;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.apache.flink.streaming.util.OperatorSnapshotUtil;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a snapshot holds and how an operator goes on from it. */
@Timeout(60)
class StateTest {

    private static final String GOLDEN = "async-batch-state-v1";

    /** All that an operator emits that goes on from the state without further input. */
    static List<String> replay(OperatorSubtaskState state) throws Exception {
        try (var rig = OperatorRig.restore(Settings.ordered().batchSize(1), state)) {
            rig.finish();
            return rig.output();
        }
    }

    @ParameterizedTest
    @EnumSource
    void holdsBufferedInFlightAndTimingOutRowsWithoutWaiting(OutputMode mode) throws Exception {
        OperatorSubtaskState state;
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(2).capacity(2).timeout(10))) {
            rig.rows(1, 2).advance(10).row(3, 3).rows(4, 5);
            assertThat(rig.invoker.timeouts).hasSize(1);
            state = rig.snapshot();
            assertThat(rig.output()).isEmpty();
        }
        assertThat(replay(state)).containsExactly("10", "20", "30@3", "40", "50");
    }

    @Test
    void aBarrierWaitsForWhatIsInFlightIfAskedTo() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(2).drainAtCheckpoint())) {
            rig.rows(1, 2, 3, 4, 5, 6, 7).watermark(7);
            rig.whileCompleting(() -> rig.harness.prepareSnapshotPreBarrier(1));
            assertThat(rig.output()).containsExactly("10", "20", "30", "40", "50", "60");
            assertThat(replay(rig.snapshot())).containsExactly("70", "W:7");
        }
    }

    @Test
    void aBarrierThatWaitsSeesAFailure() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1).drainAtCheckpoint())) {
            rig.rows(1);
            rig.mail(() -> rig.invoker.invocations.get(0).fail(new IOException("gone")));
            assertThatThrownBy(() -> rig.harness.prepareSnapshotPreBarrier(1))
                    .rootCause()
                    .hasMessage("gone");
        }
    }

    @Test
    void aBarrierDoesNotWaitUnasked() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1))) {
            rig.rows(1).harness.prepareSnapshotPreBarrier(1);
            assertThat(rig.output()).isEmpty();
        }
    }

    @Test
    void snapshotOfAnEmptyOperatorIsEmpty() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered())) {
            rig.rows(1, 2).succeed(0);
            assertThat(replay(rig.snapshot())).isEmpty();
        }
    }

    @ParameterizedTest
    @EnumSource
    void operatorGoesOnAfterASnapshot(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(2))) {
            rig.rows(1, 2, 3).snapshot();
            rig.rows(4).succeed(0).succeed(1);
            assertThat(rig.output()).containsExactly("10", "20", "30", "40");
            assertThat(replay(rig.snapshot())).isEmpty();
        }
    }

    /** Nothing is paid for twice. */
    @ParameterizedTest
    @EnumSource
    void completedResultsAreRestoredNotComputed(OutputMode mode) throws Exception {
        OperatorSubtaskState state;
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(2))) {
            rig.row(1, 1).row(2, 2).watermark(2).row(3, 3).row(4, 4).row(5, 5);
            rig.invoker.invocations.get(1).succeed(List.of(33, 44));
            rig.runMails();
            state = rig.snapshot();
        }
        try (var rig = OperatorRig.restore(Settings.of(mode).batchSize(2), state)) {
            rig.runMails();
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2));
            assertThat(rig.output()).isEmpty();
            rig.succeed(0);
            assertThat(rig.output()).containsExactly("10@1", "20@2", "W:2", "33@3", "44@4");
            rig.row(6, 6).succeed(1);
            assertThat(rig.output()).endsWith("50@5", "60@6");
        }
    }

    @Test
    void restoredResultsThatNothingHoldsBackLeaveFirst() throws Exception {
        OperatorSubtaskState state;
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1))) {
            rig.rows(1, 2).watermark(1).rows(3).succeed(1).succeed(2);
            state = rig.snapshot();
        }
        try (var rig = OperatorRig.restore(Settings.unordered().batchSize(1), state)) {
            assertThat(rig.output()).isEmpty();
            rig.runMails();
            assertThat(rig.output()).containsExactly("20");
            rig.succeed(0);
            assertThat(rig.output()).containsExactly("20", "10", "W:1", "30");
            assertThat(rig.gauge("inflightBatches"))
                    .as("restored results had no slot")
                    .isEqualTo(0);
        }
    }

    /** A batch that left in part is saved in part. */
    @ParameterizedTest
    @EnumSource
    void partlyEmittedBatchIsSavedInPart(OutputMode mode) throws Exception {
        int limit = AsyncBatchWaitOperator.EMITTED_PER_MAIL;
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(limit + 2))) {
            for (int row = 0; row < limit + 2; row++) {
                rig.rows(row);
            }
            rig.invoker.invocations.get(0).succeed();
            rig.runMail();
            assertThat(replay(rig.snapshot()))
                    .containsExactly(limit * 10 + "", (limit + 1) * 10 + "");
        }
    }

    @Test
    void watermarksAmongRowsThatFormABatchKeepTheirPlace() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(4))) {
            rig.rows(1, 2, 3, 4, 5).watermark(5).rows(6);
            assertThat(replay(rig.snapshot()))
                    .containsExactly("10", "20", "30", "40", "50", "W:5", "60");
        }
    }

    /** The state would otherwise hold every row a second time until the next snapshot. */
    @Test
    void betweenSnapshotsTheStateHoldsNoRows() throws Exception {
        OperatorSubtaskState state;
        try (var rig = OperatorRig.open(Settings.ordered())) {
            rig.rows(1, 2, 3);
            state = rig.snapshot();
            assertThat(heldByState(rig)).isEmpty();
        }
        try (var rig = OperatorRig.restore(Settings.ordered(), state)) {
            assertThat(heldByState(rig)).isEmpty();
        }
    }

    private static Iterable<SavedElement<Integer, Integer>> heldByState(OperatorRig<Integer> rig)
            throws Exception {
        OperatorStateBackend backend = rig.harness.getOperator().getOperatorStateBackend();
        return backend.getListState(
                        new ListStateDescriptor<>(
                                "async-batch-rows",
                                new SavedElementSerializer<>(
                                        IntSerializer.INSTANCE, IntSerializer.INSTANCE)))
                .get();
    }

    /** Batches are runs of neighbouring rows, in the sequence that was restored too. */
    @Test
    void rowsOnBothSidesOfARestoredResultMakeNoBatch() throws Exception {
        OperatorSubtaskState state;
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1))) {
            rig.rows(1, 2, 3).succeed(1);
            state = rig.snapshot();
        }
        try (var rig = OperatorRig.restore(Settings.ordered().batchSize(2), state)) {
            assertThat(rig.invoker.batches()).containsExactly(List.of(1));
            assertThat(rig.counter("batchesClosedByRestore")).isOne();
            rig.finish();
            assertThat(rig.output()).containsExactly("10", "20", "30");
        }
    }

    @Test
    void unorderedBatchHeldByAWatermarkIsSavedFromThere() throws Exception {
        try (var rig = OperatorRig.open(Settings.unordered().batchSize(2))) {
            rig.rows(1, 2, 3).watermark(9).rows(4).succeed(1);
            assertThat(rig.output()).containsExactly("30");
            assertThat(replay(rig.snapshot())).containsExactly("10", "20", "W:9", "40");
        }
    }

    /** FLINK-7949: mails do not run while an operator opens, so waiting there is for ever. */
    @ParameterizedTest
    @EnumSource
    void restoreOfMoreThanTheCapacityDoesNotWait(OutputMode mode) throws Exception {
        OperatorSubtaskState state;
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(2).capacity(5))) {
            rig.rows(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
            state = rig.snapshot();
        }
        try (var rig = OperatorRig.restore(Settings.of(mode).batchSize(3).capacity(1), state)) {
            assertThat(rig.invoker.batches()).containsExactly(List.of(0, 1, 2));
            rig.succeed(0).succeed(1).succeed(2);
            rig.finish();
            assertThat(rig.invoker.batchSizes()).containsExactly(3, 3, 3, 1);
            assertThat(rig.output())
                    .containsExactly("0", "10", "20", "30", "40", "50", "60", "70", "80", "90");
        }
    }

    @ParameterizedTest
    @EnumSource
    void newInputWaitsForRestoredRows(OutputMode mode) throws Exception {
        OperatorSubtaskState state;
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(1).capacity(3))) {
            rig.rows(1, 2, 3);
            state = rig.snapshot();
        }
        try (var rig = OperatorRig.restore(Settings.of(mode).batchSize(1).capacity(1), state)) {
            rig.whileCompleting(() -> rig.rows(4));
            assertThat(rig.invoker.batches())
                    .containsExactly(List.of(1), List.of(2), List.of(3), List.of(4));
            assertThat(rig.output()).containsExactly("10", "20", "30");
        }
    }

    /** FLINK-29827: without a timer a restored partial batch would wait for ever. */
    @Test
    void restoredPartialBatchArmsItsTimer() throws Exception {
        OperatorSubtaskState state;
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(3).batchTimeout(10))) {
            rig.rows(1, 2);
            state = rig.snapshot();
        }
        try (var rig =
                OperatorRig.restore(Settings.ordered().batchSize(3).batchTimeout(10), state)) {
            assertThat(rig.invoker.invocations).isEmpty();
            rig.advance(10);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2));
        }
    }

    @Test
    void restoredRowsObeyTheByteLimit() throws Exception {
        OperatorSubtaskState state;
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(9))) {
            rig.rows(4, 5, 6, 7);
            state = rig.snapshot();
        }
        try (var rig = OperatorRig.restore(Settings.ordered().batchSize(9).maxBytes(10), state)) {
            assertThat(rig.invoker.batches()).containsExactly(List.of(4, 5), List.of(6));
        }
    }

    @ParameterizedTest
    @EnumSource
    void restoredWatermarkWaitsForItsRows(OutputMode mode) throws Exception {
        OperatorSubtaskState state;
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(2))) {
            rig.row(1, 1).watermark(1).watermark(2).row(2, 3).watermark(3);
            state = rig.snapshot();
        }
        try (var rig = OperatorRig.restore(Settings.of(mode).batchSize(2), state)) {
            rig.runMails();
            assertThat(rig.output()).isEmpty();
            rig.succeed(0);
            assertThat(rig.output()).containsExactly("10@1", "W:2", "20@3", "W:3");
        }
    }

    /** After a restore Flink starts as active; nobody would take a restored idleness back. */
    @Test
    void idlenessIsNotRestored() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered())) {
            rig.rows(1);
            rig.harness.processWatermarkStatus(WatermarkStatus.IDLE);
            assertThat(replay(rig.snapshot())).containsExactly("10");
        }
    }

    @ParameterizedTest
    @EnumSource
    void outputModeMayChange(OutputMode mode) throws Exception {
        OutputMode other = mode == OutputMode.ORDERED ? OutputMode.UNORDERED : OutputMode.ORDERED;
        OperatorSubtaskState state;
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(2))) {
            rig.rows(1, 2, 3).watermark(3).rows(4).succeed(1);
            state = rig.snapshot();
        }
        try (var rig = OperatorRig.restore(Settings.of(other).batchSize(2), state)) {
            rig.finish();
            List<String> all = new ArrayList<>(rig.output());
            if (mode == OutputMode.UNORDERED) {
                assertThat(all).containsExactly("10", "20", "W:3", "40");
            } else {
                assertThat(all).hasSize(5).endsWith("W:3", "40");
                assertThat(all.subList(0, 3)).containsExactlyInAnyOrder("10", "20", "30");
            }
        }
    }

    /**
     * A row of one subtask may be older than another's watermark: mixed, watermarks are dropped.
     */
    @Test
    void rescalingKeepsEveryRowAndMakesNoneLate() throws Exception {
        OperatorSubtaskState first;
        OperatorSubtaskState second;
        try (var rig = OperatorRig.create(Settings.ordered().build(), 0, 2).opened()) {
            rig.row(1, 50).watermark(50).row(2, 51);
            first = rig.snapshot();
        }
        try (var rig = OperatorRig.create(Settings.ordered().build(), 1, 2).opened()) {
            rig.row(3, 10).watermark(10).row(4, 11);
            second = rig.snapshot();
        }
        OperatorSubtaskState all = AbstractStreamOperatorTestHarness.repackageState(first, second);

        try (var rig = OperatorRig.create(Settings.ordered().build(), 0, 1)) {
            rig.harness.initializeState(
                    AbstractStreamOperatorTestHarness.repartitionOperatorState(all, 128, 2, 1, 0));
            rig.opened().finish();
            assertThat(rig.output()).containsExactlyInAnyOrder("10@50", "20@51", "30@10", "40@11");
        }

        List<String> ofThree = new ArrayList<>();
        for (int subtask = 0; subtask < 3; subtask++) {
            try (var rig = OperatorRig.create(Settings.ordered().build(), subtask, 3)) {
                rig.harness.initializeState(
                        AbstractStreamOperatorTestHarness.repartitionOperatorState(
                                all, 128, 2, 3, subtask));
                rig.opened().finish();
                ofThree.addAll(rig.output());
            }
        }
        assertThat(ofThree).containsExactlyInAnyOrder("10@50", "20@51", "30@10", "40@11");
    }

    @Test
    void batchSizeMayChange() throws Exception {
        OperatorSubtaskState state;
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(3))) {
            rig.rows(1, 2, 3, 4, 5);
            state = rig.snapshot();
        }
        try (var rig = OperatorRig.restore(Settings.ordered().batchSize(2), state)) {
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2), List.of(3, 4));
        }
    }

    /** The file was written by the first version of the state and is never written again. */
    @Test
    void restoresTheStateOfVersionOne() throws Exception {
        OperatorSubtaskState state =
                OperatorSnapshotUtil.readStateHandle(
                        OperatorSnapshotUtil.getResourceFilename(GOLDEN));
        assertThat(replay(state)).containsExactly("10@1", "20", "W:2", "30@3", "40@4", "50@5");
    }

    /** Writes the golden file when asked to, for a new version of the state. */
    @Test
    void writesTheGoldenFileOnRequest() throws Exception {
        String target = System.getProperty("asyncbatch.golden.write");
        if (target != null) {
            Files.createDirectories(Path.of(target));
            OperatorSnapshotUtil.writeStateHandle(
                    goldenState(), Path.of(target, GOLDEN).toString());
        }
        assertThat(replay(goldenState()))
                .containsExactly("10@1", "20", "W:2", "30@3", "40@4", "50@5");
    }

    private static OperatorSubtaskState goldenState() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(2))) {
            rig.row(1, 1).rows(2).watermark(2).row(3, 3).row(4, 4).row(5, 5).succeed(1);
            return rig.snapshot();
        }
    }
}
