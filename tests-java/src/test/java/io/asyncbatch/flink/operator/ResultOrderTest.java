package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import java.util.List;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.streaming.runtime.streamrecord.LatencyMarker;
import org.apache.flink.streaming.runtime.streamrecord.RecordAttributesBuilder;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** In which order results leave, and where watermarks stand among them. */
@Timeout(60)
class ResultOrderTest {

    @ParameterizedTest
    @EnumSource
    void watermarkBetweenBatchesKeepsItsPlace(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(2))) {
            rig.row(1, 1).row(2, 2).watermark(2).row(3, 3).row(4, 4);
            rig.succeed(1);
            assertThat(rig.output()).isEmpty();
            rig.succeed(0);
            assertThat(rig.output()).containsExactly("10@1", "20@2", "W:2", "30@3", "40@4");
        }
    }

    @ParameterizedTest
    @EnumSource
    void watermarkInsideABatchKeepsItsPlace(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(3))) {
            rig.row(1, 1).row(2, 2).watermark(2).row(3, 3);
            assertThat(rig.output()).isEmpty();
            rig.succeed(0);
            assertThat(rig.output()).containsExactly("10@1", "20@2", "W:2", "30@3");
        }
    }

    /** b1 = [1, 2], b2 = [3, W, 4], b3 = [5, 6]. */
    @Test
    void unorderedBatchAcrossAWatermarkLeavesSegmentBySegment() throws Exception {
        try (var rig = OperatorRig.open(Settings.unordered().batchSize(2))) {
            rig.rows(1, 2, 3).watermark(9).rows(4, 5, 6);
            rig.succeed(2);
            assertThat(rig.output()).isEmpty();
            rig.succeed(1);
            assertThat(rig.output()).containsExactly("30");
            rig.succeed(0);
            assertThat(rig.output()).containsExactly("30", "10", "20", "W:9", "40", "50", "60");
        }
    }

    @Test
    void unorderedBatchAcrossSeveralWatermarks() throws Exception {
        try (var rig = OperatorRig.open(Settings.unordered().batchSize(4))) {
            rig.watermark(0).rows(1).watermark(1).rows(2).watermark(2).watermark(3).rows(3, 4);
            rig.succeed(0);
            assertThat(rig.output()).containsExactly("W:0", "10", "W:1", "20", "W:3", "30", "40");
        }
    }

    @Test
    void orderedResultsLeaveInInputOrder() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(2))) {
            rig.rows(1, 2, 3, 4).watermark(1).rows(5, 6);
            rig.succeed(2).succeed(1);
            assertThat(rig.output()).isEmpty();
            rig.succeed(0);
            assertThat(rig.output()).containsExactly("10", "20", "30", "40", "W:1", "50", "60");
        }
    }

    @Test
    void unorderedResultsLeaveAsTheyFinish() throws Exception {
        try (var rig = OperatorRig.open(Settings.unordered().batchSize(2))) {
            rig.rows(1, 2, 3, 4, 5, 6).succeed(2).succeed(0);
            assertThat(rig.output()).containsExactly("50", "60", "10", "20");
            rig.succeed(1);
            assertThat(rig.output()).containsExactly("50", "60", "10", "20", "30", "40");
        }
    }

    /** The scheme of Flink's UnorderedStreamElementQueueTest#testCompletionOrder, in batches. */
    @Test
    void unorderedCompletionOrderAcrossTwoWatermarks() throws Exception {
        try (var rig = OperatorRig.open(Settings.unordered().batchSize(1).capacity(8))) {
            rig.rows(1, 2).watermark(1).rows(3, 4).watermark(2).rows(5, 6);
            rig.succeed(2);
            assertThat(rig.output()).isEmpty();
            rig.succeed(1);
            assertThat(rig.output()).containsExactly("20");
            rig.succeed(5).succeed(3);
            assertThat(rig.output()).containsExactly("20");
            rig.succeed(0);
            assertThat(rig.output()).containsExactly("20", "10", "W:1", "30", "40", "W:2", "60");
            rig.succeed(4);
            assertThat(rig.output()).endsWith("60", "50");
            assertThat(rig.gauge("inflightBatches")).isEqualTo(0);
        }
    }

    /** Twice would free a slot that another batch has. */
    @ParameterizedTest
    @EnumSource
    void aBatchThatStartsAtTheNextWatermarkLeavesOnce(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(1))) {
            rig.rows(1).watermark(1).rows(2).watermark(2).rows(3);
            rig.succeed(1).succeed(2).succeed(0);
            assertThat(rig.output()).containsExactly("10", "W:1", "20", "W:2", "30");
            assertThat(rig.gauge("inflightBatches")).isEqualTo(0);
            assertThat(rig.gauge("pendingOrderedBatches")).isEqualTo(0);
        }
    }

    @ParameterizedTest
    @EnumSource
    void watermarkPassesWhenNothingIsHeldBack(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode))) {
            rig.watermark(2).watermark(5);
            assertThat(rig.output()).containsExactly("W:2", "W:5");
            rig.rows(1, 2).succeed(0).watermark(6);
            assertThat(rig.output()).containsExactly("W:2", "W:5", "10", "20", "W:6");
        }
    }

    /** While rows wait for long, watermarks must not pile up behind them. */
    @ParameterizedTest
    @EnumSource
    void ofWatermarksBetweenTheSameRowsOnlyTheLastIsKept(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode))) {
            rig.rows(1).watermark(1).watermark(2).watermark(3).rows(2).succeed(0);
            assertThat(rig.output()).containsExactly("10", "W:3", "20");
        }
    }

    @ParameterizedTest
    @EnumSource
    void rowsKeepTheirTimestampOrHaveNone(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(4))) {
            rig.row(1, 7).rows(2).row(3, Long.MIN_VALUE).row(4, 0).succeed(0);
            assertThat(rig.output()).containsExactly("10@7", "20", "30@" + Long.MIN_VALUE, "40@0");
        }
    }

    /** FLINK-36892: downstream would take the rows for late. */
    @ParameterizedTest
    @EnumSource
    void idlenessDoesNotOvertakeRows(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(2))) {
            rig.row(1, 1).watermark(1);
            rig.harness.processWatermarkStatus(WatermarkStatus.IDLE);
            assertThat(rig.output()).isEmpty();
            rig.row(2, 2).succeed(0);
            assertThat(rig.output()).containsExactly("10@1", "W:1", "IDLE", "20@2");
        }
    }

    @ParameterizedTest
    @EnumSource
    void activityIsAnnouncedBeforeTheWatermarkThatFollows(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(1))) {
            rig.harness.processWatermarkStatus(WatermarkStatus.IDLE);
            rig.row(1, 1);
            rig.harness.processWatermarkStatus(WatermarkStatus.ACTIVE);
            rig.watermark(1);
            assertThat(rig.output()).containsExactly("IDLE");
            rig.succeed(0);
            assertThat(rig.output()).containsExactly("IDLE", "10@1", "ACTIVE", "W:1");
        }
    }

    @ParameterizedTest
    @EnumSource
    void recordAttributesDoNotOvertakeRows(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(1))) {
            rig.rows(1);
            rig.harness.processRecordAttributes(
                    new RecordAttributesBuilder(List.of()).setBacklog(true).build());
            assertThat(rig.output()).isEmpty();
            rig.succeed(0);
            assertThat(rig.output()).containsExactly("10", "BACKLOG:true");
        }
    }

    @ParameterizedTest
    @EnumSource
    void statusAndAttributesPassWhenNothingIsHeldBack(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode))) {
            rig.harness.processWatermarkStatus(WatermarkStatus.IDLE);
            assertThat(rig.output()).containsExactly("IDLE");
            rig.harness.processRecordAttributes(
                    new RecordAttributesBuilder(List.of()).setBacklog(false).build());
            assertThat(rig.output()).containsExactly("IDLE", "BACKLOG:false");
        }
    }

    @Test
    void latencyMarkersPassAtOnce() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered())) {
            rig.rows(1);
            rig.harness
                    .getOneInputOperator()
                    .processLatencyMarker(new LatencyMarker(1, new OperatorID(), 0));
            assertThat(rig.output()).containsExactly("LatencyMarker");
        }
    }
}
