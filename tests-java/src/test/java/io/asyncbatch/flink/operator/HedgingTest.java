package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.CircuitBreakerOptions.WhenOpen;
import io.asyncbatch.flink.Concurrency;
import io.asyncbatch.flink.HedgingOptions;
import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.RetryBudgetOptions;
import io.asyncbatch.flink.RowGrouping;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import io.asyncbatch.flink.operator.inflight.BackendAdmission;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.testutils.logging.LoggerAuditingExtension;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.slf4j.event.Level;

/** A second call for a batch whose first takes long: when it is made, and what counts then. */
@Timeout(60)
class HedgingTest {

    /** What calls take before the one that is looked at, and so its delay. */
    private static final long USUAL = 20;

    private static final int WARM_UP = 4;

    private static final HedgingOptions AFTER_FOUR =
            new HedgingOptions(0.95, Duration.ofMillis(1), WARM_UP);

    @RegisterExtension
    private final LoggerAuditingExtension log =
            new LoggerAuditingExtension(BackendAdmission.class, Level.WARN);

    private static Settings hedged(OutputMode mode) {
        return Settings.of(mode)
                .batchSize(1)
                .capacity(4)
                .timeout(1_000)
                .onFailure(OnFailure.DEAD_LETTER)
                .retryBudget(new RetryBudgetOptions(0, 10))
                .hedging(AFTER_FOUR);
    }

    /** An operator that knows that calls take {@link #USUAL}; its first rows have left. */
    private static OperatorRig<Integer> warm(Settings settings) throws Exception {
        OperatorRig<Integer> rig = OperatorRig.open(settings);
        for (int row = 1; row <= WARM_UP; row++) {
            usual(rig, row);
        }
        rig.harness.getOutput().clear();
        return rig;
    }

    private static void usual(OperatorRig<Integer> rig, int row) throws Exception {
        rig.rows(row).advance(USUAL);
        rig.succeed(rig.invoker.invocations.size() - 1);
    }

    /** Two calls for row 7 are under way: {@link #first} and {@link #second}. */
    private static OperatorRig<Integer> racing(Settings settings) throws Exception {
        OperatorRig<Integer> rig = warm(settings);
        rig.rows(7).advance(USUAL);
        assertThat(rig.invoker.invocations).hasSize(WARM_UP + 2);
        return rig;
    }

    private static FakeInvoker<Integer, Integer>.Call first(OperatorRig<Integer> rig) {
        return rig.invoker.invocations.get(WARM_UP);
    }

    private static FakeInvoker<Integer, Integer>.Call second(OperatorRig<Integer> rig) {
        return rig.invoker.invocations.get(WARM_UP + 1);
    }

    /** One was sent, and that is what became of it, and nothing else. */
    private static void assertTheHedge(OperatorRig<Integer> rig, String outcome) {
        assertThat(rig.counter("hedgesSent")).as("hedgesSent").isEqualTo(1);
        for (String counter :
                List.of("hedgesWon", "hedgesTookOver", "hedgesFailed", "hedgesDropped")) {
            assertThat(rig.counter(counter)).as(counter).isEqualTo(counter.equals(outcome) ? 1 : 0);
        }
    }

    private static void assertNothingIsLeft(OperatorRig<Integer> rig) {
        assertThat(rig.gauge("callsInFlight")).as("permits").isEqualTo(0);
        assertThat(rig.gauge("inflightBatches")).isEqualTo(0);
        assertThat(rig.timers.active()).as("timers").isZero();
    }

    // ------------------------------------------------------------------ when

    @ParameterizedTest
    @EnumSource
    void theSameRowsAreCalledForOnceMoreWhenMostCallsWouldHaveEnded(OutputMode mode)
            throws Exception {
        try (var rig = warm(hedged(mode))) {
            rig.rows(7).advance(USUAL - 1);
            assertThat(rig.invoker.invocations).hasSize(WARM_UP + 1);
            rig.advance(1);
            assertThat(second(rig).request)
                    .isEqualTo(new BatchRequest<>(WARM_UP + 2, 1, List.of(7)));
            assertThat(rig.gauge("callsInFlight")).isEqualTo(2);
            assertThat(rig.gauge("inflightBatches")).as("one batch").isEqualTo(1);
            assertThat(rig.gauge("inflightRecords")).isEqualTo(1L);
            assertThat(rig.counter("hedgesSent")).isEqualTo(1);
            rig.advance(500);
            assertThat(rig.invoker.invocations).as("once").hasSize(WARM_UP + 2);
        }
    }

    @Test
    void largerBatchesHaveLonger() throws Exception {
        Settings settings =
                hedged(OutputMode.ORDERED)
                        .batchSize(4)
                        .batchTimeout(1)
                        .hedging(new HedgingOptions(0.95, Duration.ofMillis(1), 2 * WARM_UP));
        try (var rig = OperatorRig.open(settings)) {
            for (int i = 0; i < WARM_UP; i++) {
                rig.rows(1).advance(1).advance(10);
                rig.succeed(2 * i);
                rig.rows(1, 2, 3, 4).advance(40);
                rig.succeed(2 * i + 1);
            }
            rig.rows(1, 2).advance(1).advance(19);
            assertThat(rig.invoker.invocations).hasSize(2 * WARM_UP + 1);
            rig.advance(1);
            assertThat(rig.invoker.invocations).hasSize(2 * WARM_UP + 2);
        }
    }

    @Test
    void nothingIsCalledForTwiceBeforeEnoughIsKnown() throws Exception {
        try (var rig = OperatorRig.open(hedged(OutputMode.ORDERED))) {
            for (int row = 1; row < WARM_UP; row++) {
                usual(rig, row);
            }
            rig.rows(7).advance(900);
            assertThat(rig.invoker.invocations).hasSize(WARM_UP);
        }
    }

    @Test
    void theDelayHasALeastLength() throws Exception {
        Settings settings =
                hedged(OutputMode.ORDERED)
                        .hedging(new HedgingOptions(0.95, Duration.ofMillis(50), WARM_UP));
        try (var rig = warm(settings)) {
            rig.rows(7).advance(49);
            assertThat(rig.invoker.invocations).hasSize(WARM_UP + 1);
            rig.advance(1);
            assertThat(rig.invoker.invocations).hasSize(WARM_UP + 2);
        }
    }

    @Test
    void withoutTheOptionNothingIsCalledForTwice() throws Exception {
        try (var rig = warm(hedged(OutputMode.ORDERED).hedging(null))) {
            rig.rows(7);
            assertThat(rig.timers.active()).as("the deadline alone").isEqualTo(1);
            rig.advance(900);
            assertThat(rig.invoker.invocations).hasSize(WARM_UP + 1);
        }
    }

    /** If only calls count that nobody gave up on, the delay shrinks and shrinks. */
    @Test
    void callsThatAreGivenUpDoNotShortenTheDelay() throws Exception {
        Settings settings =
                hedged(OutputMode.ORDERED)
                        .retryBudget(new RetryBudgetOptions(1, 10))
                        .hedging(new HedgingOptions(0.9, Duration.ofMillis(1), 20));
        try (var rig = OperatorRig.open(settings)) {
            int hedgedLater = 0;
            for (int row = 1; row <= 600; row++) {
                // One in ten takes for ever, the others 11 ms up to 19 ms; seconds answer at once.
                int takes = 10 + row % 10;
                rig.rows(row);
                int call = rig.invoker.invocations.size() - 1;
                rig.advance(takes == 10 ? 200 : takes);
                int last = rig.invoker.invocations.size() - 1;
                hedgedLater += row > 300 && last > call ? 1 : 0;
                rig.succeed(last);
            }
            assertThat(hedgedLater).as("of the last 300 calls").isBetween(15, 60);
        }
    }

    // ----------------------------------------------------------- who is first

    @ParameterizedTest
    @EnumSource
    void theSecondCallWins(OutputMode mode) throws Exception {
        try (var rig = racing(hedged(mode))) {
            second(rig).succeed();
            rig.runMails();
            assertThat(rig.output()).containsExactly("70");
            assertThat(rig.invoker.cancelled).containsExactly(first(rig).request.batchId());
            assertTheHedge(rig, "hedgesWon");
            assertNothingIsLeft(rig);
            first(rig).succeed(List.of(71));
            rig.runMails();
            assertThat(rig.output()).containsExactly("70");
            assertThat(rig.counter("lateResultsDropped")).isEqualTo(1);
            assertThat(rig.counter("totalBatchesProcessed")).isEqualTo(WARM_UP + 1);
            assertNothingIsLeft(rig);
        }
    }

    @ParameterizedTest
    @EnumSource
    void theFirstCallWins(OutputMode mode) throws Exception {
        try (var rig = racing(hedged(mode))) {
            first(rig).succeed();
            rig.runMails();
            assertThat(rig.output()).containsExactly("70");
            assertThat(rig.invoker.cancelled).containsExactly(second(rig).request.batchId());
            assertTheHedge(rig, "hedgesDropped");
            second(rig).succeed(List.of(71));
            rig.runMails();
            assertThat(rig.output()).containsExactly("70");
            assertNothingIsLeft(rig);
        }
    }

    @Test
    void whatTheBatchWaitedForIsMeasuredAndNotTheSecondCallAlone() throws Exception {
        try (var rig = racing(hedged(OutputMode.ORDERED))) {
            rig.advance(5);
            second(rig).succeed();
            rig.runMails();
            assertThat(rig.histogram("asyncCallDurationMs").getStatistics().getMax())
                    .isEqualTo(USUAL + 5);
        }
    }

    // ------------------------------------------------------------- who fails

    @ParameterizedTest
    @EnumSource
    void aCallThatFailsBeforeItsSecondIsNotCalledForTwice(OutputMode mode) throws Exception {
        try (var rig = warm(hedged(mode))) {
            rig.rows(7).advance(5);
            first(rig).fail(new IllegalStateException("no"));
            rig.runMails();
            assertThat(rig.deadLetters()).hasSize(1);
            rig.advance(900);
            assertThat(rig.invoker.invocations).hasSize(WARM_UP + 1);
            assertNothingIsLeft(rig);
        }
    }

    @ParameterizedTest
    @EnumSource
    void theFirstFailsAndTheSecondSucceeds(OutputMode mode) throws Exception {
        try (var rig = racing(hedged(mode))) {
            first(rig).fail(new IllegalStateException("no"));
            rig.runMails();
            assertThat(rig.deadLetters()).isEmpty();
            assertThat(rig.gauge("callsInFlight")).isEqualTo(1);
            second(rig).succeed();
            rig.runMails();
            assertThat(rig.output()).containsExactly("70");
            assertTheHedge(rig, "hedgesTookOver");
            assertNothingIsLeft(rig);
        }
    }

    @ParameterizedTest
    @EnumSource
    void theSecondFailsAndTheFirstSucceeds(OutputMode mode) throws Exception {
        try (var rig = racing(hedged(mode))) {
            second(rig).fail(new IllegalStateException("no"));
            rig.runMails();
            assertThat(rig.deadLetters()).isEmpty();
            assertThat(rig.gauge("callsInFlight")).isEqualTo(1);
            rig.advance(500);
            assertThat(rig.invoker.invocations).as("not once more").hasSize(WARM_UP + 2);
            first(rig).succeed();
            rig.runMails();
            assertThat(rig.output()).containsExactly("70");
            assertTheHedge(rig, "hedgesFailed");
            assertNothingIsLeft(rig);
        }
    }

    @ParameterizedTest
    @EnumSource
    void theBatchFailsAsTheLastOfBothFails(OutputMode mode) throws Exception {
        try (var rig = racing(hedged(mode))) {
            first(rig).fail(new IllegalStateException("of the first"));
            rig.runMails();
            second(rig).fail(new IllegalStateException("of the second"));
            rig.runMails();
            assertThat(rig.deadLetters()).containsExactly("7 EXCEPTION of the second 1");
            assertTheHedge(rig, "hedgesTookOver");
            assertNothingIsLeft(rig);
        }
    }

    @ParameterizedTest
    @EnumSource
    void theBatchIsRepeatedOnceWhenBothAskForIt(OutputMode mode) throws Exception {
        try (var rig = racing(hedged(mode))) {
            first(rig).retry(10);
            rig.runMails().advance(30);
            assertThat(rig.invoker.invocations).as("the second goes on").hasSize(WARM_UP + 2);
            second(rig).retry(40);
            rig.runMails().advance(39);
            assertThat(rig.invoker.invocations).hasSize(WARM_UP + 2);
            rig.advance(1);
            assertThat(rig.invoker.invocations).hasSize(WARM_UP + 3);
            assertThat(rig.invoker.invocations.get(WARM_UP + 2).request.attempt()).isEqualTo(2);
            rig.advance(500);
            assertThat(rig.invoker.invocations)
                    .as("a call that repeats one has no second")
                    .hasSize(WARM_UP + 3);
            rig.succeed(WARM_UP + 2);
            assertThat(rig.output()).containsExactly("70");
            assertTheHedge(rig, "hedgesTookOver");
            assertNothingIsLeft(rig);
        }
    }

    @ParameterizedTest
    @EnumSource
    void whatIsTooLargeIsHalvedAtOnceAndHalvesHaveNoSecond(OutputMode mode) throws Exception {
        try (var rig = warm(hedged(mode).batchSize(2).batchTimeout(1))) {
            rig.rows(7, 8).advance(2 * USUAL + 1);
            int calls = rig.invoker.invocations.size();
            var first = rig.invoker.invocations.get(calls - 2);
            first.report(BatchOutcome.tooLarge(new IllegalStateException("large")));
            rig.runMails();
            assertThat(rig.invoker.cancelled)
                    .containsExactly(rig.invoker.invocations.get(calls - 1).request.batchId());
            rig.advance(500);
            assertThat(rig.invoker.batches().subList(calls, calls + 1)).containsExactly(List.of(7));
            assertThat(rig.invoker.invocations).hasSize(calls + 1);
            rig.succeed(calls).succeed(calls + 1);
            assertThat(rig.output()).containsExactlyInAnyOrder("70", "80");
            assertTheHedge(rig, "hedgesDropped");
            assertNothingIsLeft(rig);
        }
    }

    @Test
    void aBrokenInvokerFailsTheTaskWhicheverCallTells() throws Exception {
        for (int call = WARM_UP; call < WARM_UP + 2; call++) {
            try (var rig = racing(hedged(OutputMode.ORDERED))) {
                rig.invoker.invocations.get(call).breakInvoker(new IllegalStateException("gone"));
                assertThatThrownBy(rig::runMails).hasMessageContaining("gone");
                assertTheHedge(rig, "hedgesDropped");
            }
        }
    }

    // ----------------------------------------------------------- the deadline

    @ParameterizedTest
    @EnumSource
    void theDeadlineIsThatOfBoth(OutputMode mode) throws Exception {
        try (var rig = racing(hedged(mode))) {
            rig.advance(1_000 - USUAL);
            assertThat(rig.invoker.timeouts)
                    .extracting(call -> call.request)
                    .containsExactly(first(rig).request);
            assertThat(rig.invoker.cancelled).containsExactly(second(rig).request.batchId());
            assertThat(rig.gauge("callsInFlight")).isEqualTo(0);
            second(rig).succeed();
            rig.runMails();
            assertThat(rig.output()).isEmpty();
            rig.invoker.timeouts.get(0).succeed(List.of(-7));
            rig.runMails();
            assertThat(rig.output()).containsExactly("-7");
            assertTheHedge(rig, "hedgesDropped");
            assertNothingIsLeft(rig);
        }
    }

    @ParameterizedTest
    @EnumSource
    void theDeadlineOfACallWhoseFirstHasFailed(OutputMode mode) throws Exception {
        try (var rig = racing(hedged(mode))) {
            first(rig).fail(new IllegalStateException("no"));
            rig.runMails().advance(1_000 - USUAL);
            assertThat(rig.invoker.timeouts)
                    .extracting(call -> call.request)
                    .as("what is to be cancelled is the call that goes on")
                    .containsExactly(second(rig).request);
            rig.invoker.timeouts.get(0).succeed(List.of(-7));
            rig.runMails();
            assertThat(rig.output()).containsExactly("-7");
            assertTheHedge(rig, "hedgesTookOver");
            assertNothingIsLeft(rig);
        }
    }

    // -------------------------------------------------------- end and restore

    @ParameterizedTest
    @EnumSource
    void aSnapshotHasOneBatchAndACloseEndsBothPermits(OutputMode mode) throws Exception {
        OperatorSubtaskState state;
        OperatorRig<Integer> rig = racing(hedged(mode));
        try (rig) {
            state = rig.snapshot();
        }
        assertTheHedge(rig, "hedgesDropped");
        assertNothingIsLeftOfTheCalls(rig);
        try (var restored = OperatorRig.restore(hedged(mode), state)) {
            assertThat(restored.invoker.batches()).containsExactly(List.of(7));
            restored.succeed(0);
            assertThat(restored.output()).containsExactly("70");
        }
    }

    private static void assertNothingIsLeftOfTheCalls(OperatorRig<Integer> rig) {
        assertThat(rig.gauge("callsInFlight")).isEqualTo(0);
        assertThat(rig.timers.active()).isZero();
    }

    // --------------------------------------------------------- what forbids it

    @ParameterizedTest
    @EnumSource
    void thereIsNoSecondCallWithoutAPermit(OutputMode mode) throws Exception {
        try (var rig = warm(hedged(mode).concurrency(Concurrency.fixed(2)))) {
            rig.rows(7, 8).advance(USUAL);
            assertThat(rig.invoker.invocations).hasSize(WARM_UP + 2);
            assertThat(rig.counter("hedgesRefused")).isEqualTo(2);
            rig.succeed(WARM_UP).advance(500);
            assertThat(rig.invoker.invocations).as("nor later").hasSize(WARM_UP + 2);
            rig.succeed(WARM_UP + 1);
            assertNothingIsLeft(rig);
        }
    }

    /** What a waiting batch takes is not for a second call, and a second call waits for nothing. */
    @Test
    void whoWaitsComesBeforeASecondCall() throws Exception {
        try (var rig = racing(hedged(OutputMode.ORDERED).concurrency(Concurrency.fixed(2)))) {
            rig.whileYielding(
                    () -> rig.rows(8), // No permit is free for it.
                    () -> rig.timers.advance(1));
            assertThat(rig.invoker.invocations).hasSize(WARM_UP + 2);
            second(rig).succeed();
            rig.runMails();
            assertThat(rig.invoker.batches().subList(WARM_UP + 2, WARM_UP + 3))
                    .containsExactly(List.of(8));
        }
    }

    /** Once, as a user looks for why there are none, and not for each call. */
    @Test
    void aPartOfOneCallIsWarnedOf() throws Exception {
        assertThat(warnings(1, 2)).as("concurrency of 2 over two TaskManagers").hasSize(1);
        assertThat(warnings(1, 2).get(0))
                .startsWith("hedging has no effect while the part of concurrency=2 of backend 'w")
                .contains("Twice the parallelism is always enough");
        assertThat(warnings(1, 1)).as("all of it, when no call is free").isEmpty();
        assertThat(warnings(2, 2)).as("two subtasks in this TaskManager").isEmpty();
    }

    /** What is logged by as many subtasks of this JVM, of so many in all, with two slow calls. */
    private List<String> warnings(int here, int parallelism) throws Exception {
        int before = log.getMessages().size();
        BatchSettings settings =
                hedged(OutputMode.ORDERED)
                        .concurrency(Concurrency.fixed(2))
                        .backend("warned of " + here + " of " + parallelism)
                        .build();
        List<OperatorRig<Integer>> rigs = new ArrayList<>();
        try {
            for (int subtask = 0; subtask < here; subtask++) {
                rigs.add(OperatorRig.create(settings, subtask, parallelism).opened());
            }
            OperatorRig<Integer> rig = rigs.get(0);
            for (int row = 1; row <= WARM_UP; row++) {
                usual(rig, row);
            }
            boolean one = rig.gauge("concurrencyLimit").equals(1);
            for (int slow = 0; slow < 2; slow++) {
                rig.rows(7);
                if (!one) {
                    rig.rows(8);
                }
                rig.advance(USUAL);
                rig.invoker.invocations.forEach(FakeInvoker.Call::succeed);
                rig.runMails();
            }
            assertThat(rig.counter("hedgesRefused")).isEqualTo(one ? 2 : 4);
        } finally {
            for (OperatorRig<Integer> rig : rigs) {
                rig.close();
            }
        }
        return log.getMessages().subList(before, log.getMessages().size());
    }

    @Test
    void thereIsNoSecondCallWithoutBudget() throws Exception {
        Settings settings =
                hedged(OutputMode.ORDERED).retryBudget(new RetryBudgetOptions(0, 1)).timeout(9_000);
        try (var rig = racing(settings)) {
            rig.rows(8).advance(USUAL);
            assertThat(rig.invoker.invocations).as("first calls of both, one second").hasSize(7);
            assertThat(rig.counter("hedgesSent")).isEqualTo(1);
            assertThat(rig.counter("hedgesRefused")).isEqualTo(1);
        }
    }

    @Test
    void thereIsNoSecondCallUnlessTheCircuitIsClosed() throws Exception {
        Settings settings =
                hedged(OutputMode.ORDERED).circuitBreaker(Overload.breaker(WhenOpen.BACK_PRESSURE));
        try (var rig = warm(settings)) {
            rig.rows(7, 8, 9);
            rig.invoker.invocations.get(WARM_UP + 1).fail(new Overload.Busy());
            rig.invoker.invocations.get(WARM_UP + 2).fail(new Overload.Busy());
            rig.runMails();
            assertThat(rig.gauge("circuitBreakerState")).isEqualTo(1);
            rig.advance(USUAL);
            assertThat(rig.invoker.invocations).hasSize(WARM_UP + 3);
            assertThat(rig.counter("hedgesRefused")).isEqualTo(1);
        }
    }

    @Test
    void thereIsNoSecondCallWhileTheBackendAsksToBeLeftAlone() throws Exception {
        try (var rig = warm(hedged(OutputMode.ORDERED))) {
            rig.rows(7, 8);
            rig.invoker
                    .invocations
                    .get(WARM_UP + 1)
                    .fail(new Overload.BusyUntil(Duration.ofMillis(100)));
            rig.runMails().advance(USUAL);
            assertThat(rig.invoker.invocations).hasSize(WARM_UP + 2);
            assertThat(rig.counter("hedgesRefused")).isEqualTo(1);
        }
    }

    @ParameterizedTest
    @EnumSource
    void thereIsNoSecondCallWhileAWorkerIsReplaced(OutputMode mode) throws Exception {
        try (var rig = warm(hedged(mode))) {
            rig.rows(7, 8);
            rig.invoker.ready = new CompletableFuture<>();
            rig.invoker.invocations.get(WARM_UP + 1).lose(2);
            rig.runMails().advance(USUAL);
            assertThat(rig.invoker.invocations).hasSize(WARM_UP + 2);
        }
    }

    // --------------------------------------------------------- workers, yields

    @ParameterizedTest
    @EnumSource
    void aWorkerThatDiesTakesBothCallsAndTheBatchIsCalledForOnce(OutputMode mode) throws Exception {
        try (var rig = racing(hedged(mode))) {
            rig.invoker.killWorker();
            rig.runMails();
            assertThat(rig.gauge("callsInFlight")).isEqualTo(0);
            rig.invoker.ready.complete(null);
            rig.runMails();
            assertThat(rig.invoker.batches().subList(WARM_UP + 2, WARM_UP + 3))
                    .containsExactly(List.of(7));
            assertThat(rig.invoker.invocations).hasSize(WARM_UP + 3);
            rig.succeed(WARM_UP + 2);
            assertThat(rig.output()).containsExactly("70");
            assertNothingIsLeft(rig);
        }
    }

    @Test
    void aSecondCallThatFoundNoWorkerIsForgotten() throws Exception {
        try (var rig = racing(hedged(OutputMode.ORDERED))) {
            second(rig).lose(0);
            rig.runMails();
            assertThat(rig.gauge("callsInFlight")).isEqualTo(1);
            first(rig).succeed();
            rig.runMails();
            assertThat(rig.output()).containsExactly("70");
            assertTheHedge(rig, "hedgesFailed");
            assertNothingIsLeft(rig);
        }
    }

    private static OperatorRig<Integer> warmPairs(OutputMode mode) throws Exception {
        return warm(hedged(mode).batchSize(2).batchTimeout(1));
    }

    @ParameterizedTest
    @EnumSource
    void aCallThatHasGivenRowsHasNoSecond(OutputMode mode) throws Exception {
        try (var rig = warmPairs(mode)) {
            rig.rows(7, 8);
            int calls = rig.invoker.invocations.size();
            rig.invoker.invocations.get(calls - 1).yieldRows(0);
            rig.runMails().advance(500);
            assertThat(rig.invoker.invocations).hasSize(calls);
            rig.invoker.invocations.get(calls - 1).succeed(List.of(80));
            rig.runMails();
            assertThat(rig.output()).containsExactly("70", "80");
            assertNothingIsLeft(rig);
        }
    }

    @ParameterizedTest
    @EnumSource
    void whicheverCallGivesARowFirstGivesTheOthersToo(OutputMode mode) throws Exception {
        for (int winner = 0; winner < 2; winner++) {
            try (var rig = warmPairs(mode)) {
                rig.rows(7, 8).advance(2 * USUAL + 1);
                int calls = rig.invoker.invocations.size();
                var first = rig.invoker.invocations.get(calls - 2);
                var second = rig.invoker.invocations.get(calls - 1);
                assertThat(second.inputs()).containsExactly(7, 8);
                var winning = winner == 0 ? first : second;
                var losing = winner == 0 ? second : first;
                winning.yieldRows(0);
                rig.runMails();
                assertThat(rig.invoker.cancelled).containsExactly(losing.request.batchId());
                losing.yieldRows(1);
                losing.succeed(List.of(-1));
                rig.runMails();
                assertThat(rig.output()).containsExactly("70");
                winning.succeed(List.of(80));
                rig.runMails();
                assertThat(rig.output()).containsExactly("70", "80");
                assertTheHedge(rig, winner == 0 ? "hedgesDropped" : "hedgesWon");
                assertNothingIsLeft(rig);
            }
        }
    }

    /** Rows that wait for an equal one have its result, from whichever call it came. */
    @Test
    void equalRowsHaveTheResultOfTheCallThatWon() throws Exception {
        Settings settings = hedged(OutputMode.UNORDERED);
        try (var rig = OperatorRig.open(settings, equalByLastDigit())) {
            for (int row = 1; row <= WARM_UP; row++) {
                usual(rig, row);
            }
            rig.rows(7, 17).advance(USUAL);
            second(rig).succeed();
            rig.runMails();
            assertThat(rig.output()).endsWith("70", "70");
            assertThat(rig.counter("coalescedRows")).isEqualTo(1);
            assertNothingIsLeft(rig);
        }
    }

    private static RowGrouping<Integer> equalByLastDigit() {
        return RowGrouping.<Integer>builder().coalesceKey(row -> row % 10).build();
    }

    // ---------------------------------------------------------------- options

    @Test
    void optionsThatContradictEachOtherAreRefused() {
        assertThatThrownBy(hedged(OutputMode.ORDERED).retryBudget(null)::build)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("hedging needs a retry_budget");
        assertThatThrownBy(hedged(OutputMode.ORDERED).concurrency(Concurrency.fixed(1))::build)
                .hasMessageStartingWith("hedging needs a concurrency of at least 2");
        assertThatThrownBy(
                        hedged(OutputMode.ORDERED).concurrency(Concurrency.adaptive(1, 1))::build)
                .hasMessageStartingWith("hedging needs a concurrency of at least 2");
        assertThatThrownBy(
                        hedged(OutputMode.ORDERED).capacity(1).concurrency(Concurrency.adaptive())
                                ::build)
                .hasMessageStartingWith("hedging needs a concurrency of at least 2");
        assertThatThrownBy(hedged(OutputMode.ORDERED).timeout(1)::build)
                .hasMessage("min_delay of hedging must be below timeout=1 ms, got 1 ms");
    }

    @Test
    void valuesOutOfRangeAreRefusedByName() {
        Duration ms = Duration.ofMillis(1);
        assertThatThrownBy(() -> new HedgingOptions(0.49, ms, 1))
                .hasMessage("percentile of hedging must be between 0.5 and 0.99, got 0.49");
        assertThatThrownBy(() -> HedgingOptions.ofPercentile(Double.NaN))
                .hasMessageStartingWith("percentile of hedging");
        assertThatThrownBy(() -> new HedgingOptions(0.9, Duration.ofNanos(1), 1))
                .hasMessage("min_delay of hedging must be at least 1 ms, got PT0.000000001S");
        assertThatThrownBy(() -> new HedgingOptions(0.9, ms, 0))
                .hasMessage("least_calls of hedging must be between 1 and 256, got 0");
        assertThatThrownBy(() -> new HedgingOptions(0.9, ms, 257))
                .hasMessage("least_calls of hedging must be between 1 and 256, got 257");
        assertThat(HedgingOptions.defaults())
                .isEqualTo(new HedgingOptions(0.95, Duration.ofMillis(10), 20));
    }
}
