package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.Concurrency;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Batches that become as small as a latency target wants them, and no larger than allowed. */
@Timeout(60)
class PlannedBatchSizeTest {

    private static final int BATCH_SIZE = 8;
    private static final int BATCHES = 200;

    private static Settings settings(OutputMode mode) {
        return Settings.of(mode)
                .batchSize(BATCH_SIZE)
                .capacity(1)
                .timeout(60_000)
                .latencyTarget(100)
                .concurrency(Concurrency.adaptive());
    }

    /** Full batches, one after the other, of which each row takes so long. */
    private static void run(
            OperatorRig<Integer> rig, int batches, long millisOfACall, long millisOfARow)
            throws Exception {
        int before = rig.invoker.invocations.size();
        int row = 0;
        while (rig.invoker.invocations.size() < before + batches) {
            while (rig.invoker.invocations.stream().noneMatch(FakeInvoker.Call::isOpen)) {
                rig.rows(++row);
            }
            var call = rig.invoker.invocations.get(rig.invoker.invocations.size() - 1);
            rig.advance(millisOfACall + millisOfARow * call.inputs().size());
            call.succeed();
            rig.runMails();
        }
    }

    @ParameterizedTest
    @EnumSource
    void batchesShrinkUntilCallsKeepTheTarget(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(settings(mode))) {
            assertThat(rig.gauge("plannedBatchSize")).isEqualTo(BATCH_SIZE);
            run(rig, BATCHES, 10, 20);
            assertThat((Integer) rig.gauge("plannedBatchSize")).isBetween(2, 4);
            assertThat(rig.invoker.batchSizes().subList(BATCHES - 20, BATCHES))
                    .as("10 ms and 20 ms a row, of 100 ms")
                    .allMatch(size -> size <= 4);
            run(rig, 10 * BATCHES, 1, 1);
            assertThat(rig.gauge("plannedBatchSize")).isEqualTo(BATCH_SIZE);
            assertThat(rig.invoker.batchSizes()).allMatch(size -> size <= BATCH_SIZE);
        }
    }

    @Test
    void withoutATargetOrAnAdaptiveNumberNothingIsPlanned() throws Exception {
        Settings fixed = settings(OutputMode.ORDERED).concurrency(Concurrency.fixed(1));
        try (var rig = OperatorRig.open(fixed)) {
            run(rig, BATCHES, 10, 20);
            assertThat(rig.gauge("plannedBatchSize")).isEqualTo(BATCH_SIZE);
        }
    }
}
