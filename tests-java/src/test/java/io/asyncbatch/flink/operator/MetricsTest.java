package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.metrics.DocumentedMetrics;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The metrics' names, which are documented, and what they count. */
@Timeout(60)
class MetricsTest {

    @Test
    void registersWhatIsDocumented() throws Exception {
        Pattern ours =
                Pattern.compile(
                        "(batch|async|calls|capacity|inflight|pending|queueWait|inputHeld|learned|rowsFailed|total"
                                + "|late|coalesced|following).*");
        try (var rig = OperatorRig.open(Settings.ordered())) {
            Set<String> documented = DocumentedMetrics.under("The operator", rig.metrics);
            assertThat(rig.metrics.keySet())
                    .filteredOn(name -> ours.matcher(name).matches())
                    .containsExactlyInAnyOrderElementsOf(documented);
        }
    }

    @Test
    void countsBatchesRowsAndReasons() throws Exception {
        try (var rig =
                OperatorRig.open(Settings.ordered().batchSize(3).batchTimeout(10).maxBytes(100))) {
            rig.rows(1, 2, 3).rows(60, 50).advance(10).rows(4);
            rig.finish();
            assertThat(rig.counter("batchesClosedBySize")).isEqualTo(1);
            assertThat(rig.counter("batchesClosedByBytes")).isEqualTo(1);
            assertThat(rig.counter("batchesClosedByTimeout")).isEqualTo(1);
            assertThat(rig.counter("batchesClosedByEndOfInput")).isEqualTo(1);
            assertThat(rig.counter("totalBatchesProcessed")).isEqualTo(4);
            assertThat(rig.counter("totalRecordsProcessed")).isEqualTo(6);
            assertThat(rig.histogram("batchSize").getStatistics().getValues())
                    .containsExactly(3, 1, 1, 1);
        }
    }

    @Test
    void measuresByTheInjectedClock() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(2).capacity(1))) {
            rig.advance(1_000).rows(1).advance(7).rows(2).advance(40).rows(3);
            rig.mail(
                    () -> {
                        rig.timers.advance(5);
                        rig.invoker.invocations.get(0).succeed();
                    });
            rig.rows(4).advance(2).succeed(1);
            assertThat(times(rig, "batchLatencyMs")).containsExactly(7, 0);
            assertThat(times(rig, "queueWaitMs")).containsExactly(0, 5);
            assertThat(times(rig, "asyncCallDurationMs")).containsExactly(45, 2);
            assertThat(times(rig, "batchEndToEndLatencyMs")).containsExactly(52, 7);
            assertThat(rig.counter("inputHeldTimeMs")).isEqualTo(5);
        }
    }

    private static long[] times(OperatorRig<?> rig, String histogram) {
        return rig.histogram(histogram).getStatistics().getValues();
    }

    @Test
    void inflightCountsRowsAndBytesUntilTheyHaveLeft() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(2))) {
            rig.rows(3, 4, 5);
            assertThat(rig.gauge("inflightRecords")).isEqualTo(2L);
            assertThat(rig.gauge("inflightBytes")).isEqualTo(7L);
            rig.succeed(0);
            assertThat(rig.gauge("inflightRecords")).isEqualTo(0L);
            assertThat(rig.gauge("inflightBytes")).isEqualTo(0L);
        }
    }

    @Test
    void pendingOrderedBatchesAreThoseThatWaitForAnEarlierOne() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1))) {
            rig.rows(1, 2, 3).succeed(1);
            assertThat(rig.gauge("pendingOrderedBatches")).isEqualTo(1);
            rig.succeed(2);
            assertThat(rig.gauge("pendingOrderedBatches")).isEqualTo(2);
            rig.succeed(0);
            assertThat(rig.gauge("pendingOrderedBatches")).isEqualTo(0);
        }
    }

    @Test
    void inflightBatchesFollowsTheSlots() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1).capacity(3).timeout(10))) {
            assertThat(rig.gauge("capacity")).isEqualTo(3);
            assertThat(rig.gauge("inflightBatches")).isEqualTo(0);
            rig.rows(1, 2);
            assertThat(rig.gauge("inflightBatches")).isEqualTo(2);
            rig.advance(10);
            assertThat(rig.gauge("inflightBatches")).isEqualTo(2);
            rig.invoker.timeouts.get(0).succeed(List.of(0));
            rig.runMails();
            assertThat(rig.gauge("inflightBatches")).isEqualTo(1);
            assertThat(rig.counter("batchTimeoutCount")).isEqualTo(2);
        }
    }
}
