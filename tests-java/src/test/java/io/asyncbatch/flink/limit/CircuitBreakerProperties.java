package io.asyncbatch.flink.limit;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.limit.CircuitBreaker.State;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

/** Any order of beginnings, ends and pauses. */
class CircuitBreakerProperties {

    private static final Set<List<State>> TRANSITIONS =
            Set.of(
                    List.of(State.CLOSED, State.OPEN),
                    List.of(State.OPEN, State.HALF_OPEN),
                    List.of(State.HALF_OPEN, State.OPEN),
                    List.of(State.HALF_OPEN, State.CLOSED));

    /** 0 begins a call, 1 to 3 end the oldest in one way each, more is time in milliseconds. */
    @Property(tries = 500)
    void onlyKnownTransitionsHappenAndProbesAreFew(
            @ForAll @Size(max = 500) List<@IntRange(min = -6, max = 60) Integer> steps) {
        BreakerSettings settings = BreakerSettings.DEFAULT;
        CircuitBreaker breaker = new CircuitBreaker(settings);
        Deque<Long> inFlight = new ArrayDeque<>();
        long now = 0;
        long changedAt = 0;
        State before = State.CLOSED;
        for (int step : steps) {
            if (step > 3) {
                now += step * 10_000_000L;
            } else if (step <= 0) {
                boolean allowed = breaker.allowsCall(now);
                if (breaker.state() == State.OPEN) {
                    assertThat(allowed).isFalse();
                    assertThat(breaker.nanosUntilProbe(now)).isPositive();
                }
                if (allowed) {
                    breaker.onCallBegan();
                    inFlight.add(now);
                }
            } else if (!inFlight.isEmpty()) {
                CallResult result = CallResult.values()[step - 1];
                breaker.onCallEnded(new EndedCall(result, inFlight.poll(), now, 1, 1, 1));
            }
            State after = breaker.state();
            if (after != before) {
                assertThat(TRANSITIONS).contains(List.of(before, after));
                if (after == State.HALF_OPEN) {
                    assertThat(now - changedAt)
                            .isGreaterThanOrEqualTo(settings.firstPause().toNanos());
                }
                changedAt = now;
            }
            before = after;
            if (after == State.HALF_OPEN) {
                long halfOpenSince = changedAt;
                assertThat(inFlight.stream().filter(began -> began >= halfOpenSince).count())
                        .isLessThanOrEqualTo(settings.probes());
            }
        }
    }
}
