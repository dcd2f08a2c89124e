package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.CircuitBreakerOptions;
import io.asyncbatch.flink.Concurrency;
import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.RetryBudgetOptions;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.metrics.DocumentedMetrics;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import io.asyncbatch.flink.sidecar.SidecarException;
import java.net.ConnectException;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Fewer calls than batches in flight: who waits, for what, and what goes on meanwhile. */
@Timeout(60)
class ConcurrencyTest {

    private static Settings one(OutputMode mode) {
        return Settings.of(mode).batchSize(1).capacity(4).concurrency(Concurrency.fixed(1));
    }

    @ParameterizedTest
    @EnumSource
    void noMoreCallsThanTheLimitAreUnderWay(OutputMode mode) throws Exception {
        Settings two = one(mode).concurrency(Concurrency.fixed(2));
        try (var rig = OperatorRig.open(two)) {
            rig.rows(1, 2);
            rig.whileYielding(() -> rig.rows(3), () -> rig.timers.advance(1));
            assertThat(rig.invoker.batches()).containsExactly(List.of(1), List.of(2));
            assertThat(rig.gauge("concurrencyLimit")).isEqualTo(2);
            assertThat(rig.gauge("callsInFlight")).isEqualTo(2);
            assertThat(rig.counter("callsRefused")).isPositive();
            rig.succeed(1);
            assertThat(rig.invoker.batches()).hasSize(3);
            rig.succeed(0).succeed(2);
            assertThat(rig.output()).containsExactlyInAnyOrder("10", "20", "30");
            assertThat(rig.gauge("callsInFlight")).isEqualTo(0);
            assertThat(rig.timers.active()).isZero();
        }
    }

    /** It begins with 4, doubles while calls are as quick as ever, and shrinks for an overload. */
    @ParameterizedTest
    @EnumSource
    void anAdaptiveLimitFollowsWhatCallsTell(OutputMode mode) throws Exception {
        int capacity = 32;
        Settings settings =
                one(mode)
                        .capacity(capacity)
                        .timeout(60_000)
                        .onFailure(OnFailure.SKIP)
                        .concurrency(Concurrency.adaptive());
        try (var rig = OperatorRig.open(settings)) {
            assertThat(rig.gauge("concurrencyLimit")).isEqualTo(4);
            int row = 0;
            while ((Integer) rig.gauge("concurrencyLimit") < capacity) {
                assertThat(row).as("rows until the limit is at capacity").isLessThan(1_000);
                while (rig.gauge("callsInFlight") != rig.gauge("concurrencyLimit")) {
                    rig.rows(++row);
                }
                // The oldest ends, so that each takes about 48 ms, however many there are.
                rig.advance(48 / (Integer) rig.gauge("concurrencyLimit"));
                rig.invoker.invocations.stream()
                        .filter(FakeInvoker.Call::isOpen)
                        .findFirst()
                        .ifPresent(call -> call.succeed());
                rig.runMails();
            }
            while ((Integer) rig.gauge("callsInFlight") < capacity) {
                rig.rows(++row);
            }
            assertThat(rig.gauge("callsInFlight")).isEqualTo(capacity);
            rig.advance(10);
            for (FakeInvoker<Integer, Integer>.Call call : rig.invoker.invocations) {
                call.fail(new Overload.Busy());
            }
            rig.runMails();
            assertThat((Integer) rig.gauge("concurrencyLimit"))
                    .as("once for all of them, a fifth less than when the first of them began")
                    .isBetween(12, 26);
        }
    }

    @Test
    void withoutOptionsNothingIsLimitedAndNothingMeasured() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1).capacity(3))) {
            rig.rows(1, 2, 3);
            assertThat(rig.invoker.invocations).hasSize(3);
            assertThat(rig.metrics).doesNotContainKeys("concurrencyLimit", "callsInFlight");
        }
    }

    /** ADR 7: a row now and then, so that barriers find a gap. */
    @ParameterizedTest
    @EnumSource
    void whatWaitsForAPermitHoldsBackInputButNotWatermarks(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(one(mode))) {
            rig.rows(1);
            rig.whileYielding(() -> rig.rows(2), () -> rig.timers.advance(1));
            assertThat(rig.counter("inputHeldTimeMs")).isEqualTo(10);
            rig.watermark(7).succeed(0);
            assertThat(rig.output()).containsExactly("10");
            rig.succeed(1);
            assertThat(rig.output()).containsExactly("10", "20", "W:7");
        }
    }

    /** ADR 8: it could only wait in line. */
    @ParameterizedTest
    @EnumSource
    void aLateBatchStaysOpenWhileNoPermitIsFree(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(one(mode).batchSize(3).batchTimeout(20))) {
            rig.rows(1, 2, 3, 4).advance(30).rows(5);
            assertThat(rig.invoker.batches()).hasSize(1);
            rig.succeed(0).advance(1);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2, 3), List.of(4, 5));
            rig.succeed(1);
            assertThat(rig.timers.active()).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource
    void aBatchThatAwaitsItsRetryHasNoPermitAndComesBeforeNewOnes(OutputMode mode)
            throws Exception {
        try (var rig = OperatorRig.open(one(mode))) {
            rig.rows(1);
            rig.invoker.invocations.get(0).retry(50);
            rig.runMails().rows(2);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1), List.of(2));
            rig.advance(50);
            rig.whileYielding(() -> rig.rows(3), () -> rig.timers.advance(1));
            assertThat(rig.invoker.invocations).hasSize(2);
            rig.succeed(1).succeed(2);
            assertThat(rig.invoker.invocations)
                    .extracting(call -> call.request)
                    .containsExactly(
                            new BatchRequest<>(1, 1, List.of(1)),
                            new BatchRequest<>(2, 1, List.of(2)),
                            new BatchRequest<>(1, 2, List.of(1)),
                            new BatchRequest<>(3, 1, List.of(3)));
        }
    }

    @ParameterizedTest
    @EnumSource
    void theDeadlineCoversWaitingForTheNextPermit(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(one(mode).timeout(100))) {
            rig.rows(1);
            rig.invoker.invocations.get(0).retry(10);
            rig.runMails().rows(2).advance(99);
            assertThat(rig.invoker.invocations).as("the retry has no permit").hasSize(2);
            rig.advance(1);
            assertThat(rig.invoker.timeouts)
                    .extracting(call -> call.request)
                    .as("it is over for both, and of each as it was last called for")
                    .containsExactly(
                            new BatchRequest<>(1, 1, List.of(1)),
                            new BatchRequest<>(2, 1, List.of(2)));
            assertThat(rig.gauge("callsInFlight")).isEqualTo(0);
            rig.invoker.timeouts.get(0).succeed(List.of(-1));
            rig.invoker.timeouts.get(1).succeed(List.of(-2));
            rig.runMails().advance(1_000);
            assertThat(rig.output()).containsExactly("-1", "-2");
            assertThat(rig.invoker.invocations).hasSize(2);
            assertThat(rig.timers.active()).isZero();
        }
    }

    @Test
    void aBatchWithoutAPermitHasNoDeadline() throws Exception {
        Settings settings = one(OutputMode.ORDERED).timeout(100);
        try (var rig = OperatorRig.open(settings)) {
            rig.rows(1).advance(50);
            rig.whileYielding(() -> rig.rows(2), () -> rig.timers.advance(1));
            rig.advance(39);
            rig.succeed(0).advance(99);
            assertThat(rig.invoker.timeouts).isEmpty();
            rig.advance(1);
            assertThat(rig.invoker.timeouts).hasSize(1);
        }
    }

    /** A deadline frees the permit, whatever becomes of the call, and the next batch has it. */
    @ParameterizedTest
    @EnumSource
    void aDeadlineEndsItsPermit(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(one(mode).timeout(100))) {
            rig.rows(1);
            rig.whileYielding(() -> rig.rows(2), () -> rig.timers.advance(1));
            rig.advance(90);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1), List.of(2));
            assertThat(rig.counter("callsDropped")).isEqualTo(1);
            rig.succeed(0);
            assertThat(rig.counter("lateResultsDropped")).isEqualTo(1);
            assertThat(rig.gauge("callsInFlight")).isEqualTo(1);
        }
    }

    // ------------------------------------------------------------- parts

    @ParameterizedTest
    @EnumSource
    void halvesNeedAPermitEach(OutputMode mode) throws Exception {
        Settings settings = one(mode).batchSize(2).isolating().onFailure(OnFailure.DEAD_LETTER);
        try (var rig = OperatorRig.open(settings)) {
            rig.rows(1, 2);
            rig.whileYielding(() -> rig.rows(3, 4), () -> rig.timers.advance(1));
            rig.invoker.invocations.get(0).fail(new IllegalStateException("of one of them"));
            rig.runMails();
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2), List.of(1));
            rig.succeed(1);
            rig.invoker.invocations.get(2).fail(new IllegalStateException("of this one"));
            rig.runMails();
            assertThat(rig.invoker.batches())
                    .containsExactly(List.of(1, 2), List.of(1), List.of(2), List.of(3, 4));
            rig.succeed(3);
            assertThat(rig.output()).containsExactlyInAnyOrder("10", "30", "40");
            assertThat(rig.deadLetters()).containsExactly("2 EXCEPTION of this one 2");
            assertThat(rig.gauge("callsInFlight")).isEqualTo(0);
        }
    }

    /** The permit of the call that failed is taken by who shares the backend. */
    @ParameterizedTest
    @EnumSource
    void aDeadlineThatPassesWhileHalvesWaitAsksForAllRowsOnce(OutputMode mode) throws Exception {
        Settings settings =
                one(mode).batchSize(2).timeout(100).isolating().backend("halves " + mode);
        try (var neighbour = OperatorRig.open(settings);
                var rig = OperatorRig.open(settings)) {
            rig.rows(1, 2);
            neighbour.whileYielding(() -> neighbour.rows(5, 6), () -> neighbour.timers.advance(1));
            rig.invoker.invocations.get(0).fail(new IllegalStateException("of one of them"));
            rig.runMails();
            neighbour.runMails();
            assertThat(neighbour.invoker.invocations).hasSize(1);
            assertThat(rig.invoker.invocations).hasSize(1);
            rig.advance(100);
            assertThat(rig.invoker.timeouts)
                    .extracting(FakeInvoker.Call::inputs)
                    .containsExactly(List.of(1, 2));
            rig.invoker.timeouts.get(0).succeed(List.of(-1, -2));
            rig.runMails();
            neighbour.succeed(0);
            rig.runMails();
            assertThat(rig.output()).containsExactly("-1", "-2");
            assertThat(rig.invoker.invocations).hasSize(1);
            assertThat(rig.timers.active()).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource
    void rowsThatAllComeEarlyEndThePermit(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(one(mode).batchSize(2))) {
            rig.rows(1, 2);
            rig.invoker.invocations.get(0).yieldRows(1, 0);
            rig.runMails().rows(3, 4);
            assertThat(rig.invoker.invocations).hasSize(2);
            assertThat(rig.gauge("callsInFlight")).isEqualTo(1);
        }
    }

    // ----------------------------------------------------------- workers

    @ParameterizedTest
    @EnumSource
    void aDeadWorkerGivesItsPermitsBackAndIsNoOverload(OutputMode mode) throws Exception {
        Settings settings = one(mode).concurrency(Concurrency.fixed(2));
        try (var rig = OperatorRig.open(settings)) {
            rig.rows(1, 2);
            rig.invoker.killWorker();
            rig.runMails();
            assertThat(rig.gauge("callsInFlight")).isEqualTo(0);
            assertThat(rig.counter("callsDropped")).isZero();
            rig.invoker.ready.complete(null);
            rig.runMails();
            assertThat(rig.gauge("callsInFlight")).isEqualTo(2);
            rig.succeed(2).succeed(3);
            assertThat(rig.output()).containsExactlyInAnyOrder("10", "20");
            assertThat(rig.gauge("callsInFlight")).isEqualTo(0);
        }
    }

    /** A retry waits for a permit, and the one that has it dies with its worker. */
    @ParameterizedTest
    @EnumSource
    void nobodyIsForgottenWhenAWorkerDiesWhileOthersWait(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(one(mode))) {
            rig.rows(1);
            rig.invoker.invocations.get(0).retry(10);
            rig.runMails().rows(2).advance(10);
            rig.whileYielding(() -> rig.rows(3), () -> rig.timers.advance(1));
            rig.invoker.killWorker();
            rig.runMails();
            rig.invoker.ready.complete(null);
            rig.invoker.answersAtOnce = true;
            rig.runMails();
            assertThat(rig.output()).containsExactlyInAnyOrder("10", "20", "30");
            assertThat(rig.gauge("callsInFlight")).isEqualTo(0);
            assertThat(rig.timers.active()).isZero();
        }
    }

    // -------------------------------------------------------- what counts

    static Stream<Map.Entry<Throwable, Boolean>> causes() {
        return Map.<Throwable, Boolean>of(
                new Overload.Busy(),
                true,
                new CompletionException(new Overload.Busy()),
                true,
                new Overload.BusyUntil(Duration.ofMillis(5)),
                true,
                new ConnectException("refused"),
                true,
                new SocketTimeoutException("slow"),
                true,
                new TimeoutException("slow"),
                true,
                SidecarException.Kind.UNAVAILABLE.exception("away"),
                true,
                SidecarException.Kind.OVERLOADED.exception("busy"),
                true,
                SidecarException.Kind.INVALID_TENSOR.exception("wrong"),
                false,
                new IllegalStateException("a mistake"),
                false)
                .entrySet()
                .stream();
    }

    @ParameterizedTest
    @MethodSource("causes")
    void onlyASignOfOverloadCountsAsOne(Map.Entry<Throwable, Boolean> cause) throws Exception {
        Settings settings = one(OutputMode.ORDERED).onFailure(OnFailure.SKIP);
        try (var rig = OperatorRig.open(settings)) {
            rig.rows(1);
            rig.invoker.invocations.get(0).fail(cause.getKey());
            rig.runMails().advance(5).rows(2);
            rig.invoker.invocations.get(1).report(BatchOutcome.retry(cause.getKey(), 1));
            rig.runMails().advance(10);
            assertThat(rig.counter("callsDropped")).isEqualTo(cause.getValue() ? 2 : 0);
            rig.succeed(2);
            assertThat(rig.gauge("callsInFlight")).isEqualTo(0);
        }
    }

    @ParameterizedTest
    @EnumSource
    void aBackendThatSaysWhenIsLeftAloneUntilThen(OutputMode mode) throws Exception {
        Settings settings = one(mode).concurrency(Concurrency.fixed(4));
        try (var rig = OperatorRig.open(settings)) {
            rig.rows(1);
            rig.invoker
                    .invocations
                    .get(0)
                    .report(
                            BatchOutcome.retry(
                                    new Overload.BusyUntil(Duration.ofMillis(300)), 300));
            rig.runMails();
            rig.whileYielding(() -> rig.rows(2), () -> rig.timers.advance(1));
            rig.advance(289);
            assertThat(rig.invoker.invocations).hasSize(1);
            rig.advance(1);
            assertThat(rig.invoker.invocations).hasSize(3);
        }
    }

    @Test
    void nobodyIsLeftAloneForEver() throws Exception {
        try (var rig = OperatorRig.open(one(OutputMode.ORDERED).onFailure(OnFailure.SKIP))) {
            rig.rows(1);
            rig.invoker.invocations.get(0).fail(new Overload.BusyUntil(Duration.ofDays(400_000)));
            rig.runMails();
            rig.whileYielding(() -> rig.rows(2), () -> rig.timers.advance(1));
            rig.advance(Duration.ofMinutes(10).toMillis());
            assertThat(rig.invoker.invocations).hasSize(2);
        }
    }

    @Test
    void aTimeThatIsLongOverIsNotWaitedFor() throws Exception {
        try (var rig = OperatorRig.open(one(OutputMode.ORDERED).onFailure(OnFailure.SKIP))) {
            rig.rows(1);
            rig.invoker
                    .invocations
                    .get(0)
                    .fail(new Overload.BusyUntil(Duration.ofSeconds(Long.MIN_VALUE)));
            rig.runMails().rows(2);
            assertThat(rig.counter("callsDropped")).isOne();
            assertThat(rig.invoker.invocations).hasSize(2);
        }
    }

    // -------------------------------------------------------- retry budget

    @ParameterizedTest
    @EnumSource
    void retriesWithoutBudgetWaitAndLetOthersGo(OutputMode mode) throws Exception {
        Settings settings =
                Settings.of(mode)
                        .batchSize(1)
                        .capacity(4)
                        .timeout(60_000)
                        .retryBudget(new RetryBudgetOptions(0, 1));
        try (var rig = OperatorRig.open(settings)) {
            rig.rows(1, 2);
            rig.invoker.invocations.get(0).retry(10);
            rig.invoker.invocations.get(1).retry(10);
            rig.runMails().advance(10);
            assertThat(rig.invoker.invocations).as("one of the two").hasSize(3);
            assertThat(rig.counter("retriesHeldByBudget")).isEqualTo(1);
            rig.rows(3);
            assertThat(rig.invoker.invocations.get(3).request)
                    .isEqualTo(new BatchRequest<>(3, 1, List.of(3)));
            rig.advance(8_000);
            assertThat(rig.invoker.invocations).hasSize(4);
            rig.advance(2_000);
            assertThat(rig.invoker.invocations.get(4).request)
                    .isEqualTo(new BatchRequest<>(2, 2, List.of(2)));
            rig.succeed(2).succeed(3).succeed(4);
            assertThat(rig.output()).containsExactlyInAnyOrder("10", "20", "30");
            assertThat(rig.timers.active()).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource
    void theDeadlineEndsWaitingForTheBudget(OutputMode mode) throws Exception {
        Settings settings =
                Settings.of(mode)
                        .batchSize(1)
                        .timeout(2_000)
                        .retryBudget(new RetryBudgetOptions(0, 1));
        try (var rig = OperatorRig.open(settings)) {
            rig.rows(1, 2);
            rig.invoker.invocations.get(0).retry(10);
            rig.invoker.invocations.get(1).retry(10);
            rig.runMails().advance(10);
            rig.succeed(2).advance(1_990);
            assertThat(rig.invoker.timeouts)
                    .extracting(call -> call.request)
                    .containsExactly(new BatchRequest<>(2, 1, List.of(2)));
            rig.invoker.timeouts.get(0).succeed(List.of(-2));
            rig.runMails().advance(20_000);
            assertThat(rig.invoker.invocations).hasSize(3);
            assertThat(rig.timers.active()).isZero();
        }
    }

    // -------------------------------------------------------------- measured

    @Test
    void registersWhatIsDocumented() throws Exception {
        try (var rig = OperatorRig.open(one(OutputMode.ORDERED));
                var other = OperatorRig.open(Settings.ordered())) {
            Set<String> documented = DocumentedMetrics.under("Overload control", rig.metrics);
            Set<String> added = new HashSet<>(rig.metrics.keySet());
            added.removeAll(other.metrics.keySet());
            assertThat(added).isEqualTo(documented);
        }
    }

    /** A task that is held up by those after it does not make its backend slow. */
    @Test
    void aCallIsOverWhenItReportsAndNotWhenTheTaskHasTimeForIt() throws Exception {
        CircuitBreakerOptions slow =
                CircuitBreakerOptions.builder()
                        .window(1, Duration.ofSeconds(30), 1)
                        .slowCallRate(1, Duration.ofMillis(100))
                        .build();
        try (var rig = OperatorRig.open(one(OutputMode.ORDERED).circuitBreaker(slow))) {
            rig.rows(1).advance(50);
            rig.invoker.invocations.get(0).succeed();
            rig.timers.advance(500);
            rig.runMails();
            assertThat(rig.counter("circuitBreakerOpened")).isZero();
            rig.rows(2).advance(101).succeed(1);
            assertThat(rig.counter("circuitBreakerOpened")).isEqualTo(1);
        }
    }

    // ----------------------------------------------------- state, end of input

    @ParameterizedTest
    @EnumSource
    void aCheckpointWhileAllWaitHasAllRows(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(one(mode))) {
            rig.rows(1);
            rig.invoker.invocations.get(0).retry(1);
            rig.runMails().rows(2).advance(1);
            rig.whileYielding(() -> rig.rows(3), () -> rig.timers.advance(1));
            try (var restored = OperatorRig.restore(one(mode), rig.snapshot())) {
                assertThat(restored.invoker.batches()).containsExactly(List.of(1));
                restored.invoker.answersAtOnce = true;
                restored.succeed(0);
                assertThat(restored.output()).containsExactly("10", "20", "30");
                assertThat(restored.gauge("callsInFlight")).isEqualTo(0);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void theEndOfInputWaitsForAllPermits(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(one(mode).batchSize(2))) {
            rig.rows(1, 2, 3);
            rig.whileCompleting(rig.harness::endInput);
            assertThat(rig.output()).containsExactlyInAnyOrder("10", "20", "30");
        }
    }

    @Test
    void permitsEndWithTheTask() throws Exception {
        var rig = OperatorRig.open(one(OutputMode.ORDERED));
        rig.rows(1);
        assertThat(rig.gauge("callsInFlight")).isEqualTo(1);
        rig.close();
        assertThat(rig.gauge("callsInFlight")).isEqualTo(0);
        assertThat(rig.timers.active()).isZero();
    }

    @Test
    void aFailureOfTheTaskEndsItsPermits() throws Exception {
        var rig = OperatorRig.open(one(OutputMode.ORDERED).concurrency(Concurrency.fixed(3)));
        rig.rows(1, 2);
        rig.invoker.invocations.get(0).fail(new IllegalStateException("planted"));
        assertThatThrownBy(rig::runMails).hasMessageContaining("Could not complete the batch");
        rig.close();
        assertThat(rig.gauge("callsInFlight")).isEqualTo(0);
    }
}
