package io.asyncbatch.flink.limit;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HedgeDelayTest {

    private static final long MILLI = 1_000_000;

    @Test
    void isUnknownUntilEnoughCallsWereSeen() {
        HedgeDelay delay = new HedgeDelay(0.95, 1, 3);
        delay.observe(1, MILLI);
        delay.observe(1, MILLI);
        assertThat(delay.nanos(1)).isEqualTo(HedgeDelay.UNKNOWN);
        delay.observe(1, MILLI);
        assertThat(delay.nanos(1)).isEqualTo(MILLI);
    }

    @Test
    void isTheQuantileOfTheLastCallsAlone() {
        HedgeDelay delay = new HedgeDelay(0.9, 1, 10);
        for (int i = 0; i < 100; i++) {
            delay.observe(8, 1_000 * MILLI);
        }
        for (int i = 0; i < HedgeDelay.WINDOW_CALLS; i++) {
            delay.observe(8, (1 + i % 10) * MILLI);
        }
        assertThat(delay.nanos(8)).isEqualTo(9 * MILLI);
    }

    @Test
    void followsASlowerBackendWithinATwentiethOfTheWindow() {
        HedgeDelay delay = new HedgeDelay(0.95, 1, 10);
        for (int i = 0; i < HedgeDelay.WINDOW_CALLS; i++) {
            delay.observe(8, 10 * MILLI);
        }
        for (int i = 0; i < HedgeDelay.WINDOW_CALLS / 20 + 10; i++) {
            delay.observe(8, 30 * MILLI);
        }
        assertThat(delay.nanos(8)).isEqualTo(30 * MILLI);
    }

    @Test
    void growsWithTheRowsOfTheCall() {
        HedgeDelay delay = new HedgeDelay(0.95, 1, 10);
        for (int rows = 1; rows <= 64; rows++) {
            delay.observe(rows, (10 + 2L * rows) * MILLI);
        }
        assertThat(delay.nanos(4)).isBetween(17 * MILLI, 19 * MILLI);
        assertThat(delay.nanos(60)).isBetween(129 * MILLI, 131 * MILLI);
    }

    @Test
    void isNeverShorterThanItsLeast() {
        HedgeDelay delay = new HedgeDelay(0.5, 7 * MILLI, 1);
        delay.observe(1, 0);
        assertThat(delay.nanos(1)).isEqualTo(7 * MILLI);
    }

    /** Whatever calls take, as many as the percentile says are hedged, also in the long run. */
    @ParameterizedTest
    @ValueSource(doubles = {0.5, 0.9, 0.95, 0.99})
    void asManyCallsTakeLongerAsThePercentileSays(double percentile) {
        Random random = new Random(3);
        HedgeDelay delay = new HedgeDelay(percentile, 1, 100);
        int longer = 0;
        int calls = 8_000;
        for (int i = 0; i < calls; i++) {
            int rows = 1 + random.nextInt(64);
            long took = (long) ((5 + rows) * MILLI * Math.exp(random.nextGaussian()));
            long after = delay.nanos(rows);
            if (took > after) {
                longer++;
                // Its second answers almost at once.
                delay.observeGivenUp(rows, Math.min(took, after + MILLI));
            } else {
                delay.observe(rows, took);
            }
        }
        assertThat((double) longer / calls)
                .isBetween(0.6 * (1 - percentile), 1.6 * (1 - percentile) + 0.005);
    }
}
