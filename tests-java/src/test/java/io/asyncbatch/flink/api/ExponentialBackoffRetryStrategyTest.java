package io.asyncbatch.flink.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.ExponentialBackoffRetryStrategy;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ExponentialBackoffRetryStrategyTest {

    @Test
    void delaysGrowUpToTheirBoundAndDependOnTheAttemptAlone() {
        var strategy =
                ExponentialBackoffRetryStrategy.<Integer>builder(9, Duration.ofMillis(10))
                        .multiplier(3)
                        .maxDelay(Duration.ofMillis(200))
                        .build();
        List<Long> delays =
                IntStream.of(1, 2, 3, 4, 9, 1, 2).mapToObj(strategy::getBackoffTimeMillis).toList();
        assertThat(delays).containsExactly(10L, 30L, 90L, 200L, 200L, 10L, 30L);
    }

    @Test
    void allowsAsManyRepetitionsAsAsked() {
        var strategy =
                ExponentialBackoffRetryStrategy.<Integer>builder(2, Duration.ofMillis(1)).build();
        assertThat(List.of(strategy.canRetry(1), strategy.canRetry(2), strategy.canRetry(3)))
                .containsExactly(true, true, false);
    }

    @Property(tries = 200)
    void jitterStaysWithinTheDelayWithoutIt(@ForAll @IntRange(min = 1, max = 1_000) int attempt) {
        var builder = ExponentialBackoffRetryStrategy.<Integer>builder(3, Duration.ofMillis(7));
        long most = builder.build().getBackoffTimeMillis(attempt);
        assertThat(builder.fullJitter().build().getBackoffTimeMillis(attempt)).isBetween(0L, most);
    }

    @Test
    void jitterIsSpreadOverTheWholeRange() {
        var strategy =
                ExponentialBackoffRetryStrategy.<Integer>builder(3, Duration.ofMillis(1_000))
                        .fullJitter()
                        .build();
        var drawn =
                LongStream.range(0, 2_000)
                        .map(draw -> strategy.getBackoffTimeMillis(1))
                        .summaryStatistics();
        assertThat(drawn.getMin()).isLessThan(100);
        assertThat(drawn.getMax()).isGreaterThan(900);
        assertThat(drawn.getAverage()).isBetween(400.0, 600.0);
    }

    @Test
    void withoutAPredicateNothingIsRetried() {
        var predicate =
                ExponentialBackoffRetryStrategy.<Integer>builder(3, Duration.ofMillis(1))
                        .build()
                        .getRetryPredicate();
        assertThat(predicate.resultPredicate()).isEmpty();
        assertThat(predicate.exceptionPredicate()).isEmpty();
    }

    @Test
    void travelsWithTheJob() throws Exception {
        var strategy =
                ExponentialBackoffRetryStrategy.<Integer>builder(3, Duration.ofMillis(4))
                        .ifException(e -> e instanceof IOException)
                        .build();
        var copy = InstantiationUtil.clone(strategy);
        assertThat(copy.getBackoffTimeMillis(2)).isEqualTo(8);
        var wanted = copy.getRetryPredicate().exceptionPredicate().orElseThrow();
        assertThat(List.of(wanted.test(new IOException()), wanted.test(new RuntimeException())))
                .containsExactly(true, false);
    }

    @ParameterizedTest
    @ValueSource(doubles = {0.99, 0, -1, Double.NaN, Double.POSITIVE_INFINITY})
    void refusesAMultiplierThatDoesNotGrow(double multiplier) {
        var builder = ExponentialBackoffRetryStrategy.builder(1, Duration.ofMillis(1));
        assertThatThrownBy(() -> builder.multiplier(multiplier))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("multiplier must be at least 1, got " + multiplier);
    }

    @Test
    void refusesNumbersAndDelaysOutOfRange() {
        assertThatThrownBy(() -> ExponentialBackoffRetryStrategy.builder(0, Duration.ofMillis(1)))
                .hasMessage("maxRetries must be positive, got 0");
        assertThatThrownBy(() -> ExponentialBackoffRetryStrategy.builder(1, Duration.ZERO))
                .hasMessage("initialDelay must be between 1 ms and 365 days, got PT0S");
        assertThatThrownBy(
                        () ->
                                ExponentialBackoffRetryStrategy.builder(1, Duration.ofMillis(1))
                                        .maxDelay(Duration.ofDays(366)))
                .hasMessageStartingWith("maxDelay must be between 1 ms and 365 days, got");
    }
}
