package io.asyncbatch.flink.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.AsyncBatchFunction;
import io.asyncbatch.flink.AsyncBatchOptions;
import io.asyncbatch.flink.AsyncDataStream;
import io.asyncbatch.flink.CircuitBreakerOptions;
import io.asyncbatch.flink.HedgingOptions;
import io.asyncbatch.flink.RowGrouping;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.common.InvalidProgramException;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.TimeDomain;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.junit.jupiter.api.Test;

/** What is refused while the job graph is built. */
class AsyncBatchOptionsTest {

    private final StreamExecutionEnvironment env =
            StreamExecutionEnvironment.getExecutionEnvironment();
    private final DataStream<Long> numbers = env.fromData(List.of(1L), Types.LONG);

    private static final class Identity implements AsyncBatchFunction<Long, Long> {

        private static final long serialVersionUID = 1L;

        @Override
        public void asyncInvokeBatch(List<Long> inputs, ResultFuture<Long> resultFuture) {
            resultFuture.complete(inputs);
        }
    }

    @Test
    void whatIsNotSaidHasADefault() {
        AsyncBatchOptions options = AsyncBatchOptions.builder(8, Duration.ofSeconds(3)).build();
        assertThat(options.getBatchSize()).isEqualTo(8);
        assertThat(options.getTimeout()).isEqualTo(Duration.ofSeconds(3));
        assertThat(options.getBatchTimeout()).isEmpty();
        assertThat(options.getBatchTimeDomain()).isEqualTo(TimeDomain.PROCESSING_TIME);
        assertThat(options.getLatencyTarget()).isEmpty();
        assertThat(options.getCapacity()).isEqualTo(100);
        assertThat(options.getMaxBatchBytes()).isEmpty();
        assertThat(options.getMaxBytesInFlight()).isEmpty();
        assertThat(options.getDrainAtCheckpoint()).isFalse();
    }

    @Test
    void allBatchesMayWeighAtLeastWhatOneMay() {
        var builder = AsyncBatchOptions.builder(8, Duration.ofSeconds(3)).maxBatchBytes(1_000);
        assertThat(builder.maxBytesInFlight(1_000).build().getMaxBytesInFlight()).hasValue(1_000);
        assertThatThrownBy(builder.maxBytesInFlight(999)::build)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("maxBytesInFlight must be at least maxBatchBytes=1000, got 999");
        assertThatThrownBy(
                        AsyncBatchOptions.builder(8, Duration.ofSeconds(3)).maxBytesInFlight(999)
                                ::build)
                .hasMessage("maxBytesInFlight must be at least maxBatchBytes=33554432, got 999");
    }

    @Test
    void whatIsNotPositiveIsRefusedByName() {
        var builder = AsyncBatchOptions.builder(8, Duration.ofSeconds(3));
        assertThatThrownBy(() -> AsyncBatchOptions.builder(0, Duration.ofSeconds(3)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("batchSize must be positive, got 0");
        assertThatThrownBy(() -> AsyncBatchOptions.builder(1, Duration.ZERO))
                .hasMessage("timeout must be at least 1 ms, got PT0S");
        assertThatThrownBy(() -> builder.batchTimeout(Duration.ofMillis(-1)))
                .hasMessage("batchTimeout must be at least 1 ms, got PT-0.001S");
        assertThatThrownBy(() -> builder.latencyTarget(Duration.ofNanos(1)))
                .hasMessage("latencyTarget must be at least 1 ms, got PT0.000000001S");
        assertThatThrownBy(() -> builder.capacity(-5))
                .hasMessage("capacity must be positive, got -5");
        assertThatThrownBy(() -> builder.maxBatchBytes(0))
                .hasMessage("maxBatchBytes must be positive, got 0");
        assertThatThrownBy(() -> builder.maxBytesInFlight(0))
                .hasMessage("maxBytesInFlight must be positive, got 0");
    }

    /** Longer ones would overflow where they are counted in milliseconds and nanoseconds. */
    @Test
    void whatIsLongerThanACenturyIsRefusedByName() {
        Duration century = Duration.ofDays(36_500);
        Duration longer = century.plusNanos(1);
        Duration longest = Duration.ofSeconds(Long.MAX_VALUE);
        var builder = AsyncBatchOptions.builder(8, century).batchTimeout(century);
        assertThat(builder.latencyTarget(century).build().getTimeout()).isEqualTo(century);
        assertThatThrownBy(() -> AsyncBatchOptions.builder(1, longer))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("timeout must be at most 36500 days, got PT876000H0.000000001S");
        assertThatThrownBy(() -> AsyncBatchOptions.builder(1, longest))
                .hasMessageStartingWith("timeout must be at most 36500 days, got");
        assertThatThrownBy(() -> builder.batchTimeout(longest))
                .hasMessageStartingWith("batchTimeout must be at most 36500 days, got");
        assertThatThrownBy(() -> builder.latencyTarget(longest))
                .hasMessageStartingWith("latencyTarget must be at most 36500 days, got");
        assertThatThrownBy(() -> new HedgingOptions(0.9, longest, 1))
                .hasMessageStartingWith("min_delay of hedging must be at most 36500 days, got");
        assertThatThrownBy(
                        () ->
                                AsyncDataStream.orderedWaitBatch(
                                        numbers, new Identity(), Long.MAX_VALUE, TimeUnit.DAYS, 8))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("timeout must be at most 36500 days, got 9223372036854775807 days");
        assertThatThrownBy(
                        () ->
                                AsyncDataStream.orderedWaitBatch(
                                        numbers, new Identity(), Long.MIN_VALUE, TimeUnit.DAYS, 8))
                .hasMessage("timeout must be at least 1 ms, got -9223372036854775808 days");
    }

    @Test
    void timesOfABreakerThatAreLongerThanACenturyAreRefusedByName() {
        Duration longest = Duration.ofSeconds(Long.MAX_VALUE);
        Duration second = Duration.ofSeconds(1);
        var builder = CircuitBreakerOptions.builder();
        assertThatThrownBy(() -> builder.window(1, longest, 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(
                        "time of the circuit breaker's window must be at most 36500 days, got");
        assertThatThrownBy(() -> builder.slowCallRate(1, longest))
                .hasMessageStartingWith("slow call of the circuit breaker must be at most");
        assertThatThrownBy(() -> builder.pause(longest, longest))
                .hasMessageStartingWith("first pause of the circuit breaker must be at most");
        assertThatThrownBy(() -> builder.pause(second, longest))
                .hasMessageStartingWith("longest pause of the circuit breaker must be at most");
    }

    @Test
    void eventTimeNeedsABatchTimeout() {
        var builder =
                AsyncBatchOptions.builder(8, Duration.ofSeconds(3))
                        .batchTimeDomain(TimeDomain.EVENT_TIME);
        assertThatThrownBy(builder::build)
                .hasMessage("batchTimeDomain EVENT_TIME needs a batchTimeout, and has none");
        assertThat(builder.batchTimeout(Duration.ofSeconds(1)).build().getBatchTimeDomain())
                .isEqualTo(TimeDomain.EVENT_TIME);
    }

    @Test
    void drainingNeedsOrder() {
        var draining =
                AsyncBatchOptions.builder(8, Duration.ofSeconds(3)).drainAtCheckpoint(true).build();
        assertThat(AsyncDataStream.orderedWaitBatch(numbers, new Identity(), draining)).isNotNull();
        assertThatThrownBy(
                        () -> AsyncDataStream.unorderedWaitBatch(numbers, new Identity(), draining))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("drainAtCheckpoint needs ordered results, and they are UNORDERED");
    }

    @Test
    void shortFormsRefuseTheSame() {
        assertThatThrownBy(
                        () ->
                                AsyncDataStream.orderedWaitBatch(
                                        numbers, new Identity(), 0, TimeUnit.SECONDS, 8))
                .hasMessage("timeout must be at least 1 ms, got PT0S");
        assertThatThrownBy(
                        () ->
                                AsyncDataStream.unorderedWaitBatch(
                                        numbers, new Identity(), 1, TimeUnit.SECONDS, 8, 0, 1))
                .hasMessage("batchTimeout must be at least 1 ms, got PT0S");
    }

    @Test
    void theOutputTypeIsDerivedFromTheFunction() {
        var stream =
                AsyncDataStream.orderedWaitBatch(numbers, new Identity(), 1, TimeUnit.SECONDS, 8);
        assertThat(stream.getType()).isEqualTo(Types.LONG);
    }

    @Test
    void aFunctionThatDoesNotSerializeIsRefused() {
        Object notSerializable = new Object();
        AsyncBatchFunction<Long, Long> capturing =
                (inputs, future) -> future.complete(List.of((long) notSerializable.hashCode()));
        assertThatThrownBy(
                        () ->
                                AsyncDataStream.orderedWaitBatch(
                                        numbers, capturing, 1, TimeUnit.SECONDS, 8))
                .isInstanceOf(InvalidProgramException.class);
    }

    @Test
    void aWeigherThatDoesNotSerializeIsRefused() {
        Object notSerializable = new Object();
        RowGrouping<Long> grouping =
                RowGrouping.<Long>builder().weigh(n -> notSerializable.hashCode(), 9).build();
        var options = AsyncBatchOptions.builder(8, Duration.ofSeconds(1)).build();
        assertThatThrownBy(
                        () ->
                                AsyncDataStream.unorderedWaitBatch(
                                        numbers, new Identity(), options, grouping))
                .isInstanceOf(InvalidProgramException.class);
    }

    /** A bound that cannot be kept must not be ignored in silence. */
    @Test
    void aBoundInBytesNeedsATypeWhoseSizeIsKnown() {
        DataStream<Duration> durations =
                env.fromData(List.of(Duration.ZERO), Types.GENERIC(Duration.class));
        AsyncBatchFunction<Duration, Long> count =
                (inputs, future) -> future.complete(List.of((long) inputs.size()));
        var options = AsyncBatchOptions.builder(8, Duration.ofSeconds(1));
        assertThat(AsyncDataStream.orderedWaitBatch(durations, count, options.build())).isNotNull();
        assertThatThrownBy(
                        () ->
                                AsyncDataStream.orderedWaitBatch(
                                        durations, count, options.maxBatchBytes(1_000).build()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("maxBatchBytes cannot be kept")
                .hasMessageContaining("java.time.Duration");
        var inFlight = AsyncBatchOptions.builder(8, Duration.ofSeconds(1));
        assertThatThrownBy(
                        () ->
                                AsyncDataStream.orderedWaitBatch(
                                        durations,
                                        count,
                                        inFlight.maxBytesInFlight(1L << 40).build()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("maxBytesInFlight cannot be kept");
    }
}
