package io.asyncbatch.flink.limit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Random;
import java.util.function.IntToDoubleFunction;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class BatchPlannerTest {

    private static final int MILLI = 1_000_000;

    private final Random random = new Random(3);
    private long now;
    private int lastRows;
    private int lateOfTheLast;
    private int callsOfTheLast;

    @Test
    void fullBatchesWhereTheyFit() {
        BatchPlanner planner = new BatchPlanner(64, 1_000L * MILLI);
        live(planner, 300, rows -> 60 + 4 * rows);
        assertThat(planner.plan(18, 16)).isEqualTo(new BatchPlan(64, 18, true));
    }

    @Test
    void theQueueGoesBeforeRowsDo() {
        BatchPlanner planner = new BatchPlanner(64, 390L * MILLI);
        live(planner, 300, rows -> (60 + 4 * rows) * 18 / 16.0);
        BatchPlan plan = planner.plan(18, 16);
        assertThat(plan.concurrency()).isEqualTo(16);
        assertThat(plan.reachesTarget()).isTrue();
    }

    @Test
    void batchesShrinkUntilCallsKeepTheTarget() {
        BatchPlanner planner = new BatchPlanner(64, 200L * MILLI);
        live(planner, 2_000, rows -> 60 + 4 * rows);
        // 60 + 4 * 35 = 200, without room for those that take longer.
        assertThat(lastRows).isBetween(20, 35);
        assertThat(lateOfTheLast).isLessThan(callsOfTheLast / 10);
    }

    @Test
    void aTargetThatCannotBeKeptDoesNotCostTheThroughput() {
        BatchPlanner planner = new BatchPlanner(64, 50L * MILLI);
        live(planner, 2_000, rows -> 60 + 4 * rows);
        BatchPlan plan = planner.plan(18, 16);
        assertThat(plan.reachesTarget()).isFalse();
        // a / b = 15: half of a call is still for its rows.
        assertThat(plan.rows()).isBetween(10, 20);
    }

    /** Beyond 32 rows calls take three times as long, which no straight line says. */
    @Test
    void aWrongModelIsCorrectedByWhatIsSeen() {
        BatchPlanner planner = new BatchPlanner(64, 220L * MILLI);
        live(planner, 4_000, rows -> (40 + 4 * rows) * (rows > 32 ? 3 : 1));
        assertThat(lastRows).isBetween(8, 40);
        assertThat(lateOfTheLast).isLessThan(callsOfTheLast / 5);
    }

    @Test
    void batchesGrowAgainWhenTheBackendHasRecovered() {
        BatchPlanner planner = new BatchPlanner(64, 400L * MILLI);
        live(planner, 1_000, rows -> 3 * (60 + 4 * rows));
        assertThat(lastRows).isLessThan(40);
        live(planner, 2_000, rows -> 60 + 4 * rows);
        assertThat(lastRows).isEqualTo(64);
    }

    @Property(tries = 200)
    void neverBeyondBatchSizeAndLimit(
            @ForAll @IntRange(min = 1, max = 500) int batchSize,
            @ForAll @IntRange(min = 1, max = 5_000) int targetMillis,
            @ForAll @IntRange(min = 0, max = 300) int constant,
            @ForAll @IntRange(min = 0, max = 30) int perRow,
            @ForAll @IntRange(min = 1, max = 100) int limit,
            @ForAll @IntRange(min = 0, max = 150) int knee) {
        BatchPlanner planner = new BatchPlanner(batchSize, (long) targetMillis * MILLI);
        for (int i = 0; i < 100; i++) {
            BatchPlan plan = planner.plan(limit, knee);
            assertThat(plan.rows()).isBetween(1, batchSize);
            assertThat(plan.concurrency()).isBetween(1, limit);
            end(planner, plan.rows(), 1 + constant + perRow * plan.rows(), limit);
        }
    }

    @Test
    void refusesWhatMakesNoSense() {
        assertThatThrownBy(() -> new BatchPlanner(0, 1)).hasMessageContaining("got 0");
        assertThatThrownBy(() -> new BatchPlanner(1, 0)).hasMessageContaining("got 0");
    }

    private void live(BatchPlanner planner, int calls, IntToDoubleFunction millisOfRows) {
        lateOfTheLast = 0;
        callsOfTheLast = calls / 4;
        for (int i = 0; i < calls; i++) {
            BatchPlan plan = planner.plan(18, 16);
            lastRows = plan.rows();
            double millis =
                    millisOfRows.applyAsDouble(lastRows) * Math.exp(0.05 * random.nextGaussian());
            if (end(planner, lastRows, millis, plan.concurrency()) && i >= calls - callsOfTheLast) {
                lateOfTheLast++;
            }
        }
    }

    /** Whether it was late. */
    private boolean end(BatchPlanner planner, int rows, double millis, int inFlight) {
        long nanos = (long) (millis * MILLI);
        now += nanos / inFlight;
        planner.onCallEnded(
                new EndedCall(CallResult.SUCCESS, now - nanos, now, rows, rows, inFlight));
        return planner.isLate(nanos);
    }
}
