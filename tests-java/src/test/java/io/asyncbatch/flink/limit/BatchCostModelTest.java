package io.asyncbatch.flink.limit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;

class BatchCostModelTest {

    private static final double CONSTANT = 60e6;
    private static final double PER_ROW = 4e6;

    private final BatchCostModel model = new BatchCostModel(200);
    private final Random random = new Random(7);

    @Test
    void findsBothCostsDespiteOfNoise() {
        teach(400, 1);
        assertThat(model.constantNanos()).isCloseTo(CONSTANT, within(0.15 * CONSTANT));
        assertThat(model.slopeNanos()).isCloseTo(PER_ROW, within(0.05 * PER_ROW));
        assertThat(model.expectedNanos(128)).isCloseTo(cost(128), within(0.05 * cost(128)));
        assertThat(model.relativeError(32)).isLessThan(0.02);
        assertThat(model.deviationNanos()).isCloseTo(0.1 * cost(32), within(0.05 * cost(32)));
    }

    @Test
    void ofOneSizeOnlyItsMeanIsKnown() {
        for (int i = 0; i < 50; i++) {
            model.observe(64, cost(64) * (1 + 0.1 * random.nextGaussian()));
        }
        assertThat(model.slopeNanos()).isZero();
        assertThat(model.expectedNanos(64)).isCloseTo(cost(64), within(0.05 * cost(64)));
        assertThat(model.relativeError(64)).isBetween(0.005, 0.03);
        assertThat(model.relativeError(32)).isEqualTo(0.5);
    }

    @Test
    void followsAChange() {
        teach(400, 1);
        teach(800, 2);
        assertThat(model.expectedNanos(40)).isCloseTo(2 * cost(40), within(0.1 * cost(40)));
    }

    @Test
    void isScaledAtOnce() {
        teach(400, 1);
        double before = model.expectedNanos(40);
        model.scale(3);
        assertThat(model.expectedNanos(40)).isCloseTo(3 * before, within(1.0));
    }

    @Test
    void costsAreNeverNegative() {
        model.observe(10, 100);
        model.observe(20, 50);
        model.observe(30, 10);
        assertThat(model.slopeNanos()).isZero();
        assertThat(model.constantNanos()).isPositive();
        BatchCostModel steep = new BatchCostModel(10);
        steep.observe(10, 1);
        steep.observe(20, 100);
        steep.observe(30, 300);
        assertThat(steep.constantNanos()).isZero();
        assertThat(steep.expectedNanos(1)).isPositive();
    }

    @Test
    void knowsNothingBeforeItHasSeenAnything() {
        assertThat(model.isReady()).isFalse();
        assertThat(model.expectedNanos(1)).isZero();
        assertThat(model.relativeError(1)).isInfinite();
    }

    private void teach(int calls, double slowness) {
        for (int i = 0; i < calls; i++) {
            int rows = 1 + random.nextInt(64);
            model.observe(rows, slowness * cost(rows) + 0.1 * cost(32) * random.nextGaussian());
        }
    }

    private static double cost(int rows) {
        return CONSTANT + PER_ROW * rows;
    }
}
