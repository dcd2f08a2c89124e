package io.asyncbatch.flink.operator.buffer;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** The estimate of RFC 6298, reckoned by hand. */
class LatencyBudgetTest {

    private final LatencyBudget budget = new LatencyBudget(100);

    @Test
    void spendsTheWholeTargetAsLongAsNoCallWasSeen() {
        assertThat(budget.formingMillis()).isEqualTo(100);
    }

    @Test
    void keepsMeanAndFourDeviationsForTheCall() {
        observe(20); // mean 20, deviation 10
        assertThat(budget.formingMillis()).isEqualTo(40);
        observe(28); // deviation 10 + (8 - 10) / 4 = 9.5, mean 20 + 8 / 8 = 21
        assertThat(budget.formingMillis()).isEqualTo(41);
        observe(5); // deviation 9.5 + (16 - 9.5) / 4 = 11.125, mean 21 - 16 / 8 = 19
        assertThat(budget.formingMillis()).isEqualTo(36);
    }

    @Test
    void isNeverNegative() {
        observe(1_000);
        assertThat(budget.formingMillis()).isZero();
    }

    private void observe(long millis) {
        budget.observe(millis * 1_000_000);
    }
}
