package io.asyncbatch.flink.limit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class RetryBudgetProperties {

    private static final long SECOND = RetryBudget.BUCKET_NANOS;
    private static final long WINDOW = RetryBudget.BUCKETS * SECOND;

    /**
     * Up to 0 a step asks for a retry, up to 100 it is a success, beyond it is time: 10 ms each.
     */
    @Property(tries = 500)
    void retriesAreNeverMoreThanTheirShareAndTheReserve(
            @ForAll @Size(max = 400) List<@IntRange(min = -400, max = 300) Integer> steps,
            @ForAll @DoubleRange(min = 0, max = 1) double share,
            @ForAll @IntRange(min = 1, max = 20) int reserve) {
        RetryBudget budget = new RetryBudget(share, reserve);
        List<Long> successes = new ArrayList<>();
        List<Long> retries = new ArrayList<>();
        long now = -3 * SECOND;
        for (int step : steps) {
            if (step > 100) {
                now += step * 10_000_000L;
            } else if (step > 0) {
                budget.onSuccess(now);
                successes.add(now);
            } else if (budget.tryRetry(now)) {
                retries.add(now);
                long window = Math.floorDiv(now, SECOND) * SECOND - WINDOW + SECOND;
                assertThat(since(retries, window))
                        .isLessThanOrEqualTo((long) (share * since(successes, window)) + reserve);
            }
        }
    }

    @Test
    void aReserveIsThereFromTheBeginningAndComesBack() {
        RetryBudget budget = new RetryBudget(0.1, 2);
        assertThat(budget.tryRetry(0)).isTrue();
        assertThat(budget.tryRetry(0)).isTrue();
        assertThat(budget.tryRetry(0)).isFalse();
        assertThat(budget.tryRetry(WINDOW - 1)).isFalse();
        assertThat(budget.tryRetry(WINDOW)).isTrue();
    }

    @Test
    void successesAreForgotten() {
        RetryBudget budget = new RetryBudget(0.5, 1);
        for (int i = 0; i < 100; i++) {
            budget.onSuccess(0);
        }
        assertThat(taken(budget, 0)).isEqualTo(51);
        assertThat(taken(budget, WINDOW)).isEqualTo(1);
    }

    @Test
    void saysWhenItsAnswerMayChange() {
        RetryBudget budget = new RetryBudget(0.1, 1);
        assertThat(budget.nanosUntilChange(3 * SECOND / 4)).isEqualTo(SECOND / 4);
        assertThat(budget.nanosUntilChange(-SECOND / 4)).isEqualTo(SECOND / 4);
    }

    @Test
    void refusesWhatIsNoShare() {
        for (double share : new double[] {-0.1, 1.1, Double.NaN}) {
            assertThatThrownBy(() -> new RetryBudget(share, 1))
                    .hasMessage("retry budget must be a share between 0 and 1, got " + share);
        }
        assertThatThrownBy(() -> new RetryBudget(0.1, 0)).hasMessageContaining("got 0");
    }

    private static int taken(RetryBudget budget, long now) {
        int taken = 0;
        while (budget.tryRetry(now)) {
            taken++;
        }
        return taken;
    }

    private static long since(List<Long> times, long from) {
        return times.stream().filter(time -> time >= from).count();
    }
}
