package io.asyncbatch.flink.limit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.limit.CircuitBreaker.State;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** On a manual clock in milliseconds. */
class CircuitBreakerTest {

    private static final long MILLI = 1_000_000;

    private final CircuitBreaker breaker =
            new CircuitBreaker(settings(8, 4, Duration.ofMillis(50)));
    private long nowMillis = 1_000;

    @Test
    void opensWhenHalfOfTheLastCallsFailed() {
        end(CallResult.SUCCESS, 3);
        end(CallResult.DROPPED, 2);
        assertThat(breaker.state()).isEqualTo(State.CLOSED);
        end(CallResult.DROPPED, 1);
        assertThat(breaker.state()).isEqualTo(State.OPEN);
        assertThat(breaker.opened()).isEqualTo(1);
        assertThat(allows()).isFalse();
    }

    @Test
    void successesOfLongAgoDoNotDiluteFailures() {
        end(CallResult.SUCCESS, 10_000);
        end(CallResult.DROPPED, 4);
        assertThat(breaker.state()).isEqualTo(State.OPEN);
    }

    @Test
    void callsThatAreTooOldDoNotCount() {
        end(CallResult.DROPPED, 3);
        nowMillis += 20_000;
        end(CallResult.DROPPED, 1);
        assertThat(breaker.state()).isEqualTo(State.CLOSED);
    }

    @Test
    void opensWhenTooManyCallsAreSlow() {
        for (int i = 0; i < 4; i++) {
            endOf(CallResult.SUCCESS, nowMillis - 51);
        }
        assertThat(breaker.state()).isEqualTo(State.OPEN);
    }

    @Test
    void whatSaysNothingIsNotCounted() {
        end(CallResult.IGNORED, 100);
        assertThat(breaker.state()).isEqualTo(State.CLOSED);
        assertThat(allows()).isTrue();
    }

    @Test
    void oneProbePassesThenMoreUntilItIsClosed() {
        open();
        assertThat(breaker.nanosUntilProbe(nowMillis * MILLI)).isEqualTo(100 * MILLI);
        nowMillis += 99;
        assertThat(allows()).isFalse();
        nowMillis++;
        begin();
        assertThat(breaker.state()).isEqualTo(State.HALF_OPEN);
        assertThat(allows()).isFalse();
        end(CallResult.SUCCESS, 1);
        begin();
        begin();
        assertThat(allows()).isFalse();
        end(CallResult.SUCCESS, 2);
        assertThat(breaker.state()).isEqualTo(State.CLOSED);
        // And what failed before is forgotten.
        end(CallResult.DROPPED, 3);
        assertThat(breaker.state()).isEqualTo(State.CLOSED);
    }

    @Test
    void aProbeThatFailsDoublesThePauseUpToABound() {
        open();
        for (long pause : new long[] {100, 200, 250, 250}) {
            assertThat(breaker.nanosUntilProbe(nowMillis * MILLI)).isEqualTo(pause * MILLI);
            nowMillis += pause;
            begin();
            end(CallResult.DROPPED, 1);
            assertThat(breaker.state()).isEqualTo(State.OPEN);
        }
    }

    @Test
    void aSlowProbeIsAFailure() {
        open();
        nowMillis += 100;
        begin();
        long started = nowMillis;
        nowMillis += 51;
        endOf(CallResult.SUCCESS, started);
        assertThat(breaker.state()).isEqualTo(State.OPEN);
    }

    @Test
    void aProbeThatSaysNothingMakesRoomForAnother() {
        open();
        nowMillis += 100;
        begin();
        end(CallResult.IGNORED, 1);
        assertThat(breaker.state()).isEqualTo(State.HALF_OPEN);
        assertThat(allows()).isTrue();
    }

    @Test
    void callsThatBeganBeforeItOpenedTellOfThePast() {
        open();
        nowMillis += 100;
        begin();
        endOf(CallResult.DROPPED, nowMillis - 101);
        endOf(CallResult.SUCCESS, nowMillis - 101);
        assertThat(breaker.state()).isEqualTo(State.HALF_OPEN);
    }

    @Test
    void settingsAreChecked() {
        assertThatThrownBy(() -> settings(8, 9, Duration.ofMillis(1)))
                .hasMessageContaining("between 1 and its window of 8, got 9");
        assertThatThrownBy(() -> settings(0, 1, Duration.ofMillis(1)))
                .hasMessageContaining("positive, got 0");
        assertThatThrownBy(() -> settings(8, 4, Duration.ZERO)).hasMessageContaining("slow call");
    }

    private void open() {
        end(CallResult.DROPPED, 4);
        assertThat(breaker.state()).isEqualTo(State.OPEN);
    }

    private boolean allows() {
        return breaker.allowsCall(nowMillis * MILLI);
    }

    private void begin() {
        assertThat(allows()).isTrue();
        breaker.onCallBegan();
    }

    /** Ends so many calls that took no time. */
    private void end(CallResult result, int calls) {
        for (int i = 0; i < calls; i++) {
            endOf(result, nowMillis);
        }
    }

    private void endOf(CallResult result, long startedMillis) {
        breaker.onCallEnded(
                new EndedCall(result, startedMillis * MILLI, nowMillis * MILLI, 1, 1, 1));
    }

    private static BreakerSettings settings(int window, int least, Duration slow) {
        return new BreakerSettings(
                window,
                Duration.ofSeconds(10),
                least,
                0.5,
                slow,
                1,
                Duration.ofMillis(100),
                Duration.ofMillis(250),
                3);
    }
}
