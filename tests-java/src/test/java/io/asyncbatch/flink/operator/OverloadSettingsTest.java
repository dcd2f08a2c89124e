package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.CircuitBreakerOptions;
import io.asyncbatch.flink.CircuitBreakerOptions.WhenOpen;
import io.asyncbatch.flink.Concurrency;
import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.RetryBudgetOptions;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** What bounds to a backend's work are refused while the job graph is built. */
class OverloadSettingsTest {

    private static final CircuitBreakerOptions FAIL_FAST =
            CircuitBreakerOptions.builder().whenOpen(WhenOpen.FAIL_FAST).build();

    @Test
    void refusesToBeginAboveCapacity() {
        assertThatThrownBy(
                        () ->
                                Settings.ordered()
                                        .capacity(10)
                                        .concurrency(Concurrency.adaptive().withInitial(20))
                                        .build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("initial concurrency must be at most capacity=10, got 20");
    }

    @Test
    void nothingIsBoundedUnlessSomebodySaysSo() {
        assertThat(Settings.ordered().build().overload().isNone()).isTrue();
        assertThat(Settings.ordered().concurrency(Concurrency.fixed(1)).build().overload().isNone())
                .isFalse();
    }

    @Test
    void concurrencyIsAtMostCapacityUnlessOthersHaveAPartOfIt() {
        Settings four = Settings.ordered().capacity(4);
        assertThatThrownBy(four.concurrency(Concurrency.fixed(5))::build)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("concurrency must be at most capacity=4, got 5");
        assertThatThrownBy(four.concurrency(Concurrency.adaptive(2, 6))::build)
                .hasMessage("concurrency must be at most capacity=4, got 6");
        assertThatThrownBy(four.concurrency(Concurrency.adaptiveFrom(7))::build)
                .hasMessage("least concurrency must be at most capacity=4, got 7");
        assertThatCode(four.concurrency(Concurrency.fixed(5)).backend("gpu")::build)
                .doesNotThrowAnyException();
    }

    @Test
    void whoFailsFastHasSomewhereForRowsToGo() {
        assertThatThrownBy(Settings.ordered().circuitBreaker(FAIL_FAST)::build)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("when_open=FAIL_FAST of the circuit breaker needs on_fail");
        assertThatCode(
                        Settings.ordered().circuitBreaker(FAIL_FAST).onFailure(OnFailure.SKIP)
                                ::build)
                .doesNotThrowAnyException();
    }

    @Test
    void aBackendHasANameAndSomethingToShare() {
        assertThatThrownBy(
                        Settings.ordered().backend(" ").retryBudget(RetryBudgetOptions.defaults())
                                ::build)
                .hasMessage("backend must have a name, got ' '");
        assertThatThrownBy(Settings.ordered().backend("gpu")::build)
                .hasMessageStartingWith("backend='gpu' shares a concurrency, a circuit breaker or");
    }

    @Test
    void valuesOutOfRangeAreRefusedByName() {
        assertThatThrownBy(() -> Concurrency.fixed(0))
                .hasMessage("concurrency must be positive, got 0");
        assertThatThrownBy(() -> Concurrency.adaptive(3, 2))
                .hasMessage("most concurrency must be at least the least one, 3, got 2");
        assertThatThrownBy(() -> Concurrency.adaptive(3, 9).withInitial(10))
                .hasMessage("initial concurrency must be at least 3 and at most 9, got 10");
        assertThatThrownBy(() -> Concurrency.fixed(3).withInitial(3))
                .hasMessageStartingWith("initial concurrency is for adaptive concurrency");
        assertThatThrownBy(() -> RetryBudgetOptions.ofShare(1.5))
                .hasMessage("retry budget must be a share between 0 and 1, got 1.5");
        assertThatThrownBy(CircuitBreakerOptions.builder().failureRate(0)::build)
                .hasMessageStartingWith("failure rate of the circuit breaker must be above 0");
    }

    @Test
    void whatIsSaidTwiceIsTheSame() {
        assertThat(Concurrency.adaptive(1, 8)).isEqualTo(Concurrency.adaptive(1, 8));
        assertThat(Concurrency.adaptive(1, 8)).isNotEqualTo(Concurrency.adaptive());
        assertThat(Concurrency.adaptive(8, 8)).isNotEqualTo(Concurrency.fixed(8));
        assertThat(CircuitBreakerOptions.defaults())
                .isEqualTo(CircuitBreakerOptions.builder().build());
        assertThat(CircuitBreakerOptions.defaults()).isNotEqualTo(FAIL_FAST);
    }

    @Test
    void defaultsFitTheBounds() {
        assertThat(Concurrency.adaptive().getInitial(100)).isEqualTo(4);
        assertThat(Concurrency.adaptive().getInitial(2)).isEqualTo(2);
        assertThat(Concurrency.adaptive(6, 9).getInitial(100)).isEqualTo(6);
        assertThat(Concurrency.adaptive(6, 9).withInitial(8).getInitial(100)).isEqualTo(8);
        assertThat(CircuitBreakerOptions.builder().slowCallRate(0.5, Duration.ofSeconds(1)).build())
                .extracting(options -> options.settings().slowCall())
                .isEqualTo(Duration.ofSeconds(1));
    }
}
