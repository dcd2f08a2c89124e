package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.CircuitBreakerOptions;
import io.asyncbatch.flink.CircuitBreakerOptions.WhenOpen;
import io.asyncbatch.flink.CircuitOpenException;
import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What becomes of rows while a backend fails, and how its return is found out. */
@Timeout(60)
class CircuitBreakerPolicyTest {

    private static final int CLOSED = 0;
    private static final int OPEN = 1;
    private static final int HALF_OPEN = 2;

    private static Settings settings(OutputMode mode, WhenOpen whenOpen) {
        return Settings.of(mode)
                .batchSize(1)
                .capacity(4)
                .timeout(60_000)
                .onFailure(OnFailure.DEAD_LETTER)
                .circuitBreaker(Overload.breaker(whenOpen));
    }

    /** Two rows whose calls fail, after which it is open. */
    private static OperatorRig<Integer> opened(Settings settings) throws Exception {
        OperatorRig<Integer> rig = OperatorRig.open(settings);
        rig.rows(1, 2);
        assertThat(rig.gauge("circuitBreakerState")).isEqualTo(CLOSED);
        fail(rig, 0);
        fail(rig, 1);
        assertThat(rig.gauge("circuitBreakerState")).isEqualTo(OPEN);
        assertThat(rig.counter("circuitBreakerOpened")).isEqualTo(1);
        return rig;
    }

    private static void fail(OperatorRig<Integer> rig, int invocation) throws Exception {
        rig.invoker.invocations.get(invocation).fail(new Overload.Busy());
        rig.runMails();
    }

    @ParameterizedTest
    @EnumSource
    void rowsWaitUntilProbesSucceed(OutputMode mode) throws Exception {
        try (var rig = opened(settings(mode, WhenOpen.BACK_PRESSURE))) {
            rig.whileYielding(() -> rig.rows(3), () -> rig.timers.advance(1));
            rig.whileYielding(() -> rig.rows(4), () -> rig.timers.advance(1));
            assertThat(rig.invoker.invocations).hasSize(2);
            rig.advance(Overload.PAUSE);
            assertThat(rig.invoker.batches()).as("one probe").hasSize(3);
            assertThat(rig.gauge("circuitBreakerState")).isEqualTo(HALF_OPEN);
            rig.succeed(2);
            assertThat(rig.invoker.batches()).hasSize(4);
            rig.succeed(3);
            assertThat(rig.gauge("circuitBreakerState")).isEqualTo(CLOSED);
            rig.rows(5, 6, 7);
            assertThat(rig.invoker.batches()).hasSize(7);
            rig.succeed(4).succeed(5).succeed(6);
            assertThat(rig.output()).containsExactlyInAnyOrder("30", "40", "50", "60", "70");
            assertThat(rig.deadLetters()).hasSize(2);
            assertThat(rig.timers.active()).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource
    void aProbeThatFailsOpensItAgain(OutputMode mode) throws Exception {
        try (var rig = opened(settings(mode, WhenOpen.BACK_PRESSURE))) {
            rig.whileYielding(() -> rig.rows(3), () -> rig.timers.advance(1));
            rig.whileYielding(() -> rig.rows(4), () -> rig.timers.advance(1));
            rig.advance(Overload.PAUSE);
            fail(rig, 2);
            assertThat(rig.gauge("circuitBreakerState")).isEqualTo(OPEN);
            assertThat(rig.counter("circuitBreakerOpened")).isEqualTo(2);
            rig.advance(Overload.PAUSE - 1);
            assertThat(rig.invoker.invocations).hasSize(3);
            rig.advance(1);
            assertThat(rig.invoker.invocations).hasSize(4);
        }
    }

    @ParameterizedTest
    @EnumSource
    void aRetryIsAProbeToo(OutputMode mode) throws Exception {
        Settings settings = settings(mode, WhenOpen.BACK_PRESSURE);
        try (var rig = OperatorRig.open(settings)) {
            rig.rows(1, 2);
            for (int call = 0; call < 2; call++) {
                rig.invoker
                        .invocations
                        .get(call)
                        .report(BatchOutcome.retry(new Overload.Busy(), 10));
            }
            rig.runMails().advance(Overload.PAUSE - 1);
            assertThat(rig.invoker.invocations).hasSize(2);
            rig.advance(1);
            assertThat(rig.invoker.invocations).hasSize(3);
            rig.succeed(2).succeed(3);
            assertThat(rig.output()).containsExactly("10", "20");
            assertThat(rig.gauge("circuitBreakerState")).isEqualTo(CLOSED);
        }
    }

    @ParameterizedTest
    @EnumSource
    void rowsFailAtOnceWithoutACall(OutputMode mode) throws Exception {
        try (var rig = opened(settings(mode, WhenOpen.FAIL_FAST))) {
            rig.rows(3).watermark(9).rows(4);
            assertThat(rig.invoker.invocations).hasSize(2);
            assertThat(rig.deadLetters())
                    .containsExactly(
                            "1 EXCEPTION busy 1",
                            "2 EXCEPTION busy 1",
                            "3 CIRCUIT_OPEN no call was made, as the circuit breaker of the"
                                    + " backend is open 0",
                            "4 CIRCUIT_OPEN no call was made, as the circuit breaker of the"
                                    + " backend is open 0");
            assertThat(rig.output()).containsExactly("W:9");
            assertThat(rig.counter("rowsFailedByOpenCircuit")).isEqualTo(2);
            assertThat(rig.counter("asyncCallFailures")).isEqualTo(2);
            rig.timers.advance(Overload.PAUSE);
            rig.rows(5, 6);
            assertThat(rig.invoker.batches()).as("one probe; the other fails").hasSize(3);
            assertThat(rig.counter("rowsFailedByOpenCircuit")).isEqualTo(3);
            rig.succeed(2).rows(7).succeed(3).rows(8).succeed(4);
            assertThat(rig.output()).containsExactly("W:9", "50", "70", "80");
            assertThat(rig.timers.active()).isZero();
        }
    }

    /** Those of a state that was restored are more than a recursion could hold. */
    @ParameterizedTest
    @EnumSource
    void anyNumberOfBatchesFailsFast(OutputMode mode) throws Exception {
        int rows = 20_000;
        Settings settings = settings(mode, WhenOpen.FAIL_FAST);
        OperatorRig<Integer> full = OperatorRig.open(settings.batchSize(rows));
        for (int row = 1; row < rows; row++) {
            full.rows(row);
        }
        try (full;
                var rig = OperatorRig.restore(settings.batchSize(1), full.snapshot())) {
            for (int call = 0; call < 5; call++) {
                fail(rig, call);
            }
            assertThat(rig.invoker.invocations).hasSize(5);
            assertThat(rig.counter("rowsFailedByOpenCircuit")).isEqualTo(rows - 1 - 5);
        }
    }

    @ParameterizedTest
    @EnumSource
    void aRetryFailsWithTheAttemptsThatItHad(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(settings(mode, WhenOpen.FAIL_FAST))) {
            rig.rows(1, 2);
            rig.invoker.invocations.get(0).report(BatchOutcome.retry(new Overload.Busy(), 10));
            fail(rig, 1);
            rig.advance(10);
            assertThat(rig.deadLetters())
                    .hasSize(2)
                    .anySatisfy(
                            letter ->
                                    assertThat(letter)
                                            .startsWith("1 CIRCUIT_OPEN ")
                                            .endsWith(" 1"));
            assertThat(rig.timers.active()).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource
    void theJobFailsWithTheNextCall(OutputMode mode) throws Exception {
        Settings settings = settings(mode, WhenOpen.FAIL_JOB).backend("fails job " + mode);
        try (var rig = opened(settings)) {
            assertThatThrownBy(() -> rig.rows(3))
                    .rootCause()
                    .isInstanceOf(CircuitOpenException.class)
                    .hasMessage(
                            "no call was made, as the circuit breaker of backend 'fails job "
                                    + mode
                                    + "' is open");
            assertThat(rig.counter("batchesFailedByOpenCircuit")).isEqualTo(1);
        }
    }

    @Test
    void slowCallsOpenItToo() throws Exception {
        Settings settings =
                settings(OutputMode.ORDERED, WhenOpen.BACK_PRESSURE)
                        .circuitBreaker(
                                CircuitBreakerOptions.builder()
                                        .window(4, Duration.ofSeconds(30), 2)
                                        .slowCallRate(1, Duration.ofMillis(100))
                                        .build());
        try (var rig = OperatorRig.open(settings)) {
            rig.rows(1, 2).advance(101).succeed(0).succeed(1);
            assertThat(rig.gauge("circuitBreakerState")).isEqualTo(OPEN);
            assertThat(rig.output()).isEqualTo(List.of("10", "20"));
        }
    }
}
