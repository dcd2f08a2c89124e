package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.CircuitBreakerOptions.WhenOpen;
import io.asyncbatch.flink.Concurrency;
import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.RetryBudgetOptions;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import java.util.List;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Subtasks of one JVM that call the same backend. */
@Timeout(20)
class SharedBackendTest {

    private static Settings settings(OutputMode mode, String name, int concurrency) {
        return Settings.of(mode)
                .batchSize(1)
                .capacity(4)
                .concurrency(Concurrency.fixed(concurrency))
                .backend(name + " " + mode);
    }

    private static OperatorRig<Integer> subtask(Settings settings, int index, int parallelism)
            throws Exception {
        return OperatorRig.create(settings.build(), index, parallelism).opened();
    }

    private static long open(OperatorRig<Integer> rig) {
        return rig.invoker.invocations.stream().filter(FakeInvoker.Call::isOpen).count();
    }

    private static void row(OperatorRig<Integer> rig, int value) throws Exception {
        rig.whileYielding(() -> rig.rows(value), () -> rig.timers.advance(1));
    }

    @ParameterizedTest
    @EnumSource
    void subtasksHaveTheWholeTogetherAndShareItFairly(OutputMode mode) throws Exception {
        Settings settings = settings(mode, "fair", 4);
        try (var one = subtask(settings, 0, 2);
                var other = subtask(settings, 1, 2)) {
            one.rows(1, 2, 3, 4);
            assertThat(open(one)).as("nobody else wants any").isEqualTo(4);
            row(other, 5);
            row(other, 6);
            row(other, 7);
            assertThat(open(other)).isZero();
            assertThat(other.gauge("concurrencyLimit")).isEqualTo(4);
            assertThat(other.gauge("callsInFlight")).isEqualTo(0);
            assertThat(other.gauge("backendCallsInFlight")).isEqualTo(4);
            one.succeed(0).succeed(1);
            other.runMails();
            assertThat(open(other)).isEqualTo(2);
            row(one, 8);
            row(one, 9);
            assertThat(open(one)).as("each has two").isEqualTo(2);
            one.succeed(2);
            other.runMails();
            assertThat(open(one)).as("who has fewer comes first").isEqualTo(2);
            assertThat(open(other)).isEqualTo(2);
            while (open(one) + open(other) > 0) {
                one.invoker.invocations.forEach(FakeInvoker.Call::succeed);
                other.invoker.invocations.forEach(FakeInvoker.Call::succeed);
                one.runMails();
                other.runMails();
                one.runMails();
            }
            assertThat(one.output()).hasSize(6);
            assertThat(other.output()).hasSize(3);
        }
    }

    /** Of a cluster with two TaskManagers, in one of which there is only one of four subtasks. */
    @ParameterizedTest
    @EnumSource
    void aTaskManagerHasThePartsOfItsSubtasks(OutputMode mode) throws Exception {
        Settings settings = settings(mode, "parts", 10);
        try (var first = subtask(settings, 0, 4)) {
            assertThat(first.gauge("concurrencyLimit")).isEqualTo(3);
            try (var last = subtask(settings, 3, 4)) {
                assertThat(last.gauge("concurrencyLimit")).isEqualTo(5);
            }
            assertThat(first.gauge("concurrencyLimit")).isEqualTo(3);
        }
    }

    @ParameterizedTest
    @EnumSource
    void whoLeavesLetsOthersGo(OutputMode mode) throws Exception {
        Settings settings = settings(mode, "leaves", 2);
        try (var stays = subtask(settings, 0, 2)) {
            try (var leaves = subtask(settings, 1, 2)) {
                leaves.rows(1, 2);
                row(stays, 3);
                assertThat(open(stays)).isZero();
            }
            stays.runMails();
            assertThat(open(stays)).isEqualTo(1);
        }
    }

    /** Otherwise two that have both wake each other at full speed, and none of them calls. */
    @ParameterizedTest
    @EnumSource
    void aRetryWithoutBudgetCostsNoTurnOfRowsThatAreNew(OutputMode mode) throws Exception {
        try (var one = subtask(retriesOnce(mode, "turns"), 0, 2);
                var other = subtask(retriesOnce(mode, "turns"), 1, 2)) {
            haveRetriesWaitForTheBudget(one, other);
            one.rows(3);
            row(other, 4);
            row(one, 5);
            one.succeed(one.invoker.invocations.size() - 1);
            other.runMails();
            assertThat(other.invoker.batches()).endsWith(List.of(4));
            one.runMails();
            assertThat(open(one)).isZero();
            other.succeed(other.invoker.invocations.size() - 1);
            one.runMails();
            assertThat(one.invoker.batches()).endsWith(List.of(5));
        }
    }

    /** What is kept for somebody whose retry came due meanwhile is kept from all others. */
    @ParameterizedTest
    @EnumSource
    void whoHasNothingButARetryWithoutBudgetLetsOthersGo(OutputMode mode) throws Exception {
        try (var one = subtask(retriesOnce(mode, "retries"), 0, 2);
                var other = subtask(retriesOnce(mode, "retries"), 1, 2)) {
            spendTheBudget(one);
            other.rows(2);
            other.invoker.invocations.get(0).retry(10);
            other.runMails();
            one.rows(3);
            other.advance(10);
            row(one, 4);
            one.succeed(2);
            other.runMails();
            one.runMails();
            assertThat(open(other)).isZero();
            assertThat(one.invoker.batches()).endsWith(List.of(4));
        }
    }

    private static Settings retriesOnce(OutputMode mode, String name) {
        return settings(mode, name, 1).timeout(60_000).retryBudget(new RetryBudgetOptions(0, 1));
    }

    /** Each has a row that waits for the budget, and no call is under way. */
    private static void haveRetriesWaitForTheBudget(
            OperatorRig<Integer> one, OperatorRig<Integer> other) throws Exception {
        spendTheBudget(one);
        other.rows(2);
        other.invoker.invocations.get(0).retry(10);
        other.runMails().advance(10);
        assertThat(other.invoker.invocations).hasSize(1);
        assertThat(open(one) + open(other)).isZero();
    }

    /** A row of it is repeated once, and waits for the budget then. */
    private static void spendTheBudget(OperatorRig<Integer> one) throws Exception {
        one.rows(1);
        one.invoker.invocations.get(0).retry(10);
        one.runMails().advance(10);
        one.invoker.invocations.get(1).retry(10);
        one.runMails().advance(10);
        assertThat(one.invoker.invocations).hasSize(2);
    }

    /** Else a job's last subtasks would have fewer and fewer calls, for a backend that is idle. */
    @ParameterizedTest
    @EnumSource
    void whoHasFinishedLeavesHisPartToOthers(OutputMode mode) throws Exception {
        Settings settings = settings(mode, "finished", 4);
        try (var goesOn = subtask(settings, 0, 2)) {
            try (var finishes = subtask(settings, 1, 2)) {
                finishes.rows(1).succeed(0).finish();
            }
            assertThat(goesOn.gauge("concurrencyLimit")).isEqualTo(4);
            goesOn.rows(1, 2, 3, 4);
            assertThat(open(goesOn)).isEqualTo(4);
        }
        try (var next = subtask(settings, 0, 2)) {
            assertThat(next.gauge("concurrencyLimit")).as("of the next job").isEqualTo(2);
        }
    }

    @ParameterizedTest
    @EnumSource
    void whoComesLetsOthersGo(OutputMode mode) throws Exception {
        Settings settings = settings(mode, "comes", 2);
        try (var first = subtask(settings, 0, 2)) {
            row(first, 1);
            row(first, 2);
            assertThat(open(first)).isEqualTo(1);
            try (var second = subtask(settings, 1, 2)) {
                first.runMails();
                assertThat(open(first)).as("calls, though none ended").isEqualTo(2);
            }
        }
    }

    /** It is told that there is room, and others are not kept from it meanwhile. */
    @ParameterizedTest
    @EnumSource
    void aBatchThatIsStillOpenKeepsNothingFromOthers(OutputMode mode) throws Exception {
        Settings settings = settings(mode, "open", 1);
        try (var busy = subtask(settings, 0, 2);
                var late = subtask(settings.batchSize(2).batchTimeout(10), 1, 2)) {
            busy.rows(1);
            late.rows(1).advance(10);
            busy.succeed(0);
            late.runMails();
            busy.rows(2);
            assertThat(open(busy)).isEqualTo(1);
            late.advance(1);
            assertThat(open(late)).isZero();
            busy.succeed(1);
            late.runMails().advance(1);
            assertThat(open(late)).isEqualTo(1);
        }
    }

    @ParameterizedTest
    @EnumSource
    void oneThatNamesItWithOtherSettingsIsRefusedUntilItIsFree(OutputMode mode) throws Exception {
        try (var one = OperatorRig.open(settings(mode, "differs", 2))) {
            assertThat(one.gauge("concurrencyLimit")).isEqualTo(2);
            var other = OperatorRig.create(settings(mode, "differs", 3));
            assertThatThrownBy(other::opened)
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageStartingWith("backend 'differs " + mode + "' is used with settings");
            other.close();
        }
        try (var later = OperatorRig.open(settings(mode, "differs", 3))) {
            assertThat(later.gauge("concurrencyLimit")).isEqualTo(3);
        }
    }

    /** One opens it, both stop, and one of them sends the probe. */
    @ParameterizedTest
    @EnumSource
    void theCircuitBreakerIsOneToo(OutputMode mode) throws Exception {
        Settings settings =
                settings(mode, "breaker", 4)
                        .timeout(60_000)
                        .onFailure(OnFailure.SKIP)
                        .circuitBreaker(Overload.breaker(WhenOpen.BACK_PRESSURE));
        try (var one = subtask(settings, 0, 2);
                var other = subtask(settings, 1, 2)) {
            one.rows(1, 2);
            for (int call : List.of(0, 1)) {
                one.invoker.invocations.get(call).fail(new Overload.Busy());
            }
            one.runMails();
            row(other, 3);
            row(one, 4);
            assertThat(open(one) + open(other)).isZero();
            assertThat(one.counter("circuitBreakerOpened")).isEqualTo(1);
            assertThat(other.counter("circuitBreakerOpened")).isZero();
            one.timers.advance(Overload.PAUSE);
            other.timers.advance(Overload.PAUSE);
            other.runMails();
            one.runMails();
            assertThat(open(one)).isZero();
            assertThat(open(other)).isEqualTo(1);
            other.succeed(0);
            one.runMails();
            assertThat(open(one)).as("the next probe, as it was woken").isEqualTo(1);
        }
    }
}
