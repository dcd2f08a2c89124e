package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Batches that close by event time, and early enough for a latency target. */
@Timeout(60)
class BatchTimeTest {

    @ParameterizedTest
    @EnumSource
    void aBatchClosesWhenTheWatermarkReachesItsFirstRowPlusTheTimeout(OutputMode mode)
            throws Exception {
        try (var rig = OperatorRig.open(eventTime(mode))) {
            rig.row(1, 100).row(2, 50).watermark(109);
            assertThat(rig.invoker.batches()).isEmpty();
            rig.watermark(110);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2));
            rig.succeed(0);
            assertThat(rig.output()).containsExactly("10@100", "20@50", "W:110");
        }
    }

    @Test
    void processingTimeClosesNoBatchOfEventTime() throws Exception {
        try (var rig = OperatorRig.open(eventTime(OutputMode.ORDERED))) {
            rig.row(1, 100).advance(1_000_000);
            assertThat(rig.invoker.batches()).isEmpty();
            assertThat(rig.timers.active()).isZero();
        }
    }

    @Test
    void aWatermarkThatClosedABatchDoesNotCountForTheNext() throws Exception {
        try (var rig = OperatorRig.open(eventTime(OutputMode.ORDERED))) {
            rig.row(1, 100).watermark(110).row(2, 105).row(3, 106);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1));
            rig.watermark(115);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1), List.of(2, 3));
        }
    }

    /** The timer of the latency target goes on until the batch closes, for whatever reason. */
    @Test
    void noTimerIsLeftOfABatchThatWaitedForAPlaceToo() throws Exception {
        Settings settings = eventTime(OutputMode.ORDERED).batchSize(2).capacity(1);
        try (var rig = OperatorRig.open(settings.latencyTarget(1_000))) {
            rig.row(1, 100).row(2, 100).row(3, 100).watermark(1_000).succeed(0);
            rig.finish();
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2), List.of(3));
            assertThat(rig.timers.active()).isZero();
        }
    }

    /** As an event-time timer in the past does. */
    @Test
    void aLateBatchClosesAtTheNextWatermark() throws Exception {
        try (var rig = OperatorRig.open(eventTime(OutputMode.ORDERED))) {
            rig.watermark(1_000).row(1, 5).row(2, 6);
            assertThat(rig.invoker.batches()).isEmpty();
            rig.watermark(1_001);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2));
        }
    }

    @Test
    void timestampsAndWatermarksAtTheEndsOfTheRange() throws Exception {
        try (var rig = OperatorRig.open(eventTime(OutputMode.ORDERED))) {
            rig.row(1, Long.MAX_VALUE - 5).watermark(Long.MIN_VALUE).watermark(Long.MAX_VALUE - 1);
            assertThat(rig.invoker.batches()).isEmpty();
            rig.watermark(Long.MAX_VALUE);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1));
        }
    }

    @Test
    void aRowWithoutATimestampIsRefused() throws Exception {
        try (var rig = OperatorRig.open(eventTime(OutputMode.ORDERED))) {
            assertThatThrownBy(() -> rig.rows(1))
                    .hasMessage(
                            "a row has no timestamp, but batch_time_domain is EVENT_TIME: assign"
                                    + " timestamps and watermarks before the batching operator");
        }
    }

    @Test
    void aWatermarkWaitsForASlotAsATimerDoes() throws Exception {
        try (var rig = OperatorRig.open(eventTime(OutputMode.ORDERED).batchSize(3).capacity(1))) {
            rig.row(1, 1).row(2, 2).row(3, 3).row(4, 4).watermark(20).row(5, 21);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2, 3));
            rig.succeed(0).advance(1);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2, 3), List.of(4, 5));
        }
    }

    /** It would close the batch that forms next long before its time. */
    @Test
    void aWatermarkThatFindsNoRowsClosesNothingLater() throws Exception {
        try (var rig = OperatorRig.open(eventTime(OutputMode.ORDERED).batchSize(2).capacity(1))) {
            rig.row(1, 1).row(2, 2).watermark(100).row(3, 200);
            rig.succeed(0).advance(1_000);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2));
        }
    }

    @Test
    void aRestoredBatchClosesByEventTimeToo() throws Exception {
        try (var rig = OperatorRig.open(eventTime(OutputMode.ORDERED))) {
            rig.row(1, 100);
            try (var restored =
                    OperatorRig.restore(eventTime(OutputMode.ORDERED), rig.snapshot())) {
                restored.watermark(109);
                assertThat(restored.invoker.batches()).isEmpty();
                restored.watermark(110);
                assertThat(restored.invoker.batches()).containsExactly(List.of(1));
            }
        }
    }

    @Test
    void eventTimeWithoutATimeoutIsRefused() {
        assertThatThrownBy(() -> Settings.ordered().eventTime().build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("batch_time_domain=EVENT_TIME needs a batch_timeout, and has none");
    }

    @Test
    void aLatencyTargetIsSpentOnWaitingAsLongAsNoCallWasSeen() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(9).latencyTarget(100))) {
            rig.rows(1).advance(99);
            assertThat(rig.invoker.batches()).isEmpty();
            rig.advance(1);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1));
        }
    }

    @Test
    void aBatchClosesTheEarlierTheLongerCallsTake() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(9).latencyTarget(100))) {
            // A mean of 20 ms and, at first, half of it as deviation: 60 ms are for the call.
            rig.rows(1).advance(100).advance(20).succeed(0);
            rig.rows(2).advance(39);
            assertThat(rig.invoker.batches()).hasSize(1);
            rig.advance(1);
            assertThat(rig.invoker.batches()).hasSize(2);
        }
    }

    @Test
    void aBatchClosesAtOnceWhenCallsAloneTakeTheWholeTarget() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(9).latencyTarget(100))) {
            rig.rows(1).advance(100).advance(500).succeed(0);
            rig.rows(2, 3).advance(0);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1), List.of(2, 3));
        }
    }

    @Test
    void theEstimateFollowsCallsThatBecomeQuick() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(9).latencyTarget(100))) {
            rig.rows(0).advance(100).advance(500).succeed(0);
            for (int call = 1; call <= 60; call++) {
                rig.rows(call).advance(100).succeed(call);
            }
            int before = rig.invoker.batches().size();
            rig.rows(99).advance(90);
            assertThat(rig.invoker.batches()).hasSize(before);
            rig.advance(10);
            assertThat(rig.invoker.batches()).hasSize(before + 1);
        }
    }

    @Test
    void theEarlierOfBatchTimeoutAndLatencyTargetCounts() throws Exception {
        try (var rig =
                OperatorRig.open(
                        Settings.ordered().batchSize(9).batchTimeout(10).latencyTarget(100))) {
            rig.rows(1).advance(10);
            assertThat(rig.invoker.batches()).hasSize(1);
        }
    }

    private static Settings eventTime(OutputMode mode) {
        return Settings.of(mode).batchSize(10).batchTimeout(10).eventTime();
    }
}
