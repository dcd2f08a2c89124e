package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The metrics' names, which are documented, and what they count. */
@Timeout(60)
class MetricsTest {

    @Test
    void registersTheDocumentedNames() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered())) {
            assertThat(rig.metrics)
                    .containsKeys(
                            "batchSize",
                            "batchLatencyMs",
                            "asyncCallDurationMs",
                            "inflightBatches",
                            "totalBatchesProcessed",
                            "totalRecordsProcessed",
                            "asyncCallFailures",
                            "batchTimeoutCount",
                            "lateResultsDropped",
                            "batchesClosedBySize",
                            "batchesClosedByBytes",
                            "batchesClosedByTimeout",
                            "batchesClosedByEndOfInput",
                            "batchesClosedByRestore");
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
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(2))) {
            rig.rows(1).advance(7);
            rig.rows(2).advance(40).succeed(0);
            assertThat(rig.histogram("batchLatencyMs").getStatistics().getMax()).isEqualTo(7);
            assertThat(rig.histogram("asyncCallDurationMs").getStatistics().getMax()).isEqualTo(40);
        }
    }

    @Test
    void inflightBatchesFollowsTheSlots() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1).timeout(10))) {
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
