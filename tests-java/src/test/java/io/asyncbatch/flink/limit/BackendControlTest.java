package io.asyncbatch.flink.limit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.CircuitBreakerOptions;
import io.asyncbatch.flink.limit.BackendControl.Caller;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class BackendControlTest {

    private static final long SECOND = 1_000_000_000L;

    private final List<String> woken = new ArrayList<>();

    @Test
    void aPermitEndsOnce() {
        List<Consumer<Permit>> ends =
                List.of(
                        permit -> permit.succeed(1),
                        permit -> permit.ignore(1),
                        permit -> permit.drop(1, 0));
        for (Consumer<Permit> first : ends) {
            for (Consumer<Permit> second : ends) {
                BackendControl control = fixed(1);
                Permit permit = control.join(() -> {}).tryCall(1, 1, 1, 0);
                first.accept(permit);
                assertThatThrownBy(() -> second.accept(permit))
                        .isInstanceOf(IllegalStateException.class);
                assertThat(control.inFlight()).isZero();
            }
        }
    }

    /** Each caller reads the clock before he has the lock. */
    @Test
    void aProbeCountsThoughSomebodyElseHadALaterTime() {
        CircuitBreaker breaker =
                new CircuitBreaker(
                        CircuitBreakerOptions.builder()
                                .window(1, Duration.ofSeconds(30), 1)
                                .failureRate(1)
                                .pause(Duration.ofNanos(90), Duration.ofNanos(90))
                                .probes(1)
                                .build()
                                .settings());
        BackendControl control = new BackendControl(new FixedLimit(2), breaker, null);
        Caller caller = control.join(() -> {});
        Caller other = control.join(() -> {});
        caller.tryCall(1, 1, 1, 0).drop(5, 0);
        assertThat(breaker.state()).isEqualTo(CircuitBreaker.State.OPEN);
        assertThat(other.mayCall(100)).isTrue();
        caller.tryCall(1, 1, 1, 99).succeed(99);
        assertThat(breaker.state()).isEqualTo(CircuitBreaker.State.CLOSED);
    }

    /** Otherwise two who wait for a probe wake each other without an end. */
    @Test
    void whoWaitsForAProbeIsWokenWhenItEndsAndNotBefore() {
        CircuitBreaker breaker =
                new CircuitBreaker(
                        CircuitBreakerOptions.builder()
                                .window(1, Duration.ofSeconds(30), 1)
                                .failureRate(1)
                                .pause(Duration.ofNanos(90), Duration.ofNanos(90))
                                .probes(2)
                                .build()
                                .settings());
        BackendControl control = new BackendControl(new FixedLimit(9), breaker, null);
        Caller prober = control.join(() -> woken.add("prober"));
        Caller one = control.join(() -> woken.add("one"));
        Caller other = control.join(() -> woken.add("other"));
        prober.tryCall(1, 1, 1, 0).drop(5, 0);
        Permit probe = prober.tryCall(1, 1, 1, 100);
        for (Caller caller : List.of(one, other, one, other)) {
            assertThat(caller.tryCall(1, 1, 1, 100)).isNull();
            assertThat(caller.nanosUntilTry(1, 100)).isEqualTo(BackendControl.UNTIL_WOKEN);
            assertThat(caller.mayCall(100)).isFalse();
            assertThat(caller.nanosUntilTry(1, 100)).isEqualTo(BackendControl.UNTIL_WOKEN);
        }
        one.standDown();
        assertThat(one.tryCall(1, 1, 1, 100)).isNull();
        assertThat(one.nanosUntilTry(1, 100)).isEqualTo(BackendControl.UNTIL_WOKEN);
        assertThat(woken).isEmpty();
        probe.succeed(101);
        assertThat(woken).containsExactlyInAnyOrder("one", "other");
    }

    @Test
    void theLimitIsToldWhatAPermitWasFor() {
        List<EndedCall> ended = new ArrayList<>();
        BackendControl control =
                new BackendControl(
                        new ConcurrencyLimit() {
                            @Override
                            public int limit() {
                                return 5;
                            }

                            @Override
                            public void onCallEnded(EndedCall call) {
                                ended.add(call);
                            }
                        },
                        null,
                        null);
        Caller caller = control.join(() -> {});
        Permit first = caller.tryCall(1, 10, 100, 3);
        Permit second = caller.tryCall(1, 20, 200, 4);
        second.drop(9, 0);
        first.succeed(10);
        assertThat(ended)
                .containsExactly(
                        new EndedCall(CallResult.DROPPED, 4, 9, 20, 200, 2),
                        new EndedCall(CallResult.SUCCESS, 3, 10, 10, 100, 1));
    }

    @Test
    void whoHasFewerCallsInFlightComesFirst() {
        BackendControl control = fixed(3);
        Caller greedy = join(control, "greedy");
        Caller modest = join(control, "modest");
        Permit first = call(greedy);
        call(greedy);
        call(greedy);
        assertThat(call(greedy)).isNull();
        assertThat(call(modest)).isNull();
        first.succeed(1);
        assertThat(woken).containsExactly("modest");
        assertThat(call(greedy)).isNull();
        assertThat(call(modest)).isNotNull();
    }

    @Test
    void whoStandsDownLeavesHisPlaceToOthers() {
        BackendControl control = fixed(1);
        Caller first = join(control, "first");
        Caller second = join(control, "second");
        Permit permit = call(first);
        assertThat(call(second)).isNull();
        assertThat(call(first)).isNull();
        permit.succeed(1);
        assertThat(woken).containsExactly("second");
        second.standDown();
        assertThat(woken).containsExactly("second", "first");
        assertThat(call(first)).isNotNull();
    }

    @Test
    void whoLeavesKeepsNobodyWaiting() {
        BackendControl control = fixed(1);
        Caller leaves = join(control, "leaves");
        Caller stays = join(control, "stays");
        Permit permit = call(stays);
        assertThat(call(leaves)).isNull();
        leaves.close();
        permit.succeed(1);
        assertThat(call(stays)).isNotNull();
    }

    @Test
    void nothingIsSentBeforeTheBackendWantsItAgain() {
        BackendControl control = fixed(4);
        Caller caller = control.join(() -> {});
        caller.tryCall(1, 1, 1, 0).drop(0, 2 * SECOND);
        caller.tryCall(1, 1, 1, 2 * SECOND).drop(2 * SECOND, SECOND);
        assertThat(caller.tryCall(1, 1, 1, 2 * SECOND + 1)).isNull();
        assertThat(caller.nanosUntilTry(1, 2 * SECOND + 1)).isEqualTo(SECOND - 1);
        assertThat(caller.tryCall(1, 1, 1, 3 * SECOND)).isNotNull();
    }

    @Test
    void retriesWaitForTheirBudgetAndOthersPass() {
        BackendControl control = new BackendControl(new FixedLimit(9), null, new RetryBudget(0, 1));
        Caller caller = control.join(() -> {});
        assertThat(caller.tryCall(2, 1, 1, 0)).isNotNull();
        assertThat(caller.tryCall(2, 1, 1, 0)).isNull();
        assertThat(caller.nanosUntilTry(2, 0)).isEqualTo(SECOND);
        assertThat(caller.tryCall(1, 1, 1, 0)).isNotNull();
        assertThat(caller.tryCall(2, 1, 1, 10 * SECOND)).isNotNull();
    }

    /** Otherwise two with a retry and a first attempt wake each other without an end. */
    @Test
    void whoHasNoBudgetForARetryKeepsHisTurnForAFirstAttempt() {
        BackendControl control = withoutBudget();
        Caller one = join(control, "one");
        Caller other = join(control, "other");
        haveAPermitKeptForTheFirst(control, one, other);
        assertThat(one.tryCall(2, 1, 1, 0)).isNull();
        assertThat(one.nanosUntilTry(2, 0)).isEqualTo(SECOND);
        assertThat(one.nanosUntilTry(1, 0)).isZero();
        assertThat(call(other)).as("what is kept for another").isNull();
        assertThat(woken).containsExactly("one");
        assertThat(call(one)).isNotNull();
    }

    @Test
    void whoHasNoBudgetForARetryGivesHisTurnToOthersByStandingDown() {
        BackendControl control = withoutBudget();
        Caller one = join(control, "one");
        Caller other = join(control, "other");
        haveAPermitKeptForTheFirst(control, one, other);
        assertThat(one.tryCall(2, 1, 1, 0)).isNull();
        one.standDown();
        assertThat(woken).containsExactly("one", "other");
        assertThat(one.nanosUntilTry(2, 0)).isEqualTo(SECOND);
        assertThat(call(other)).isNotNull();
    }

    @Test
    void aSecondCallTakesABudgetAndAPermitThatNobodyWaitsFor() {
        BackendControl control = new BackendControl(new FixedLimit(3), null, new RetryBudget(0, 2));
        Caller caller = control.join(() -> woken.add("caller"));
        Caller other = control.join(() -> woken.add("other"));
        Permit first = call(caller);
        Permit hedge = caller.tryHedge(1, 1, 0);
        assertThat(hedge).isNotNull();
        assertThat(control.inFlight()).isEqualTo(2);
        assertThat(call(other)).isNotNull();
        assertThat(other.tryHedge(1, 1, 0)).as("no permit").isNull();
        first.ignore(0);
        assertThat(woken).as("who was refused a second call waits for nothing").isEmpty();
        assertThat(call(other)).isNotNull();
        assertThat(call(other)).isNull();
        hedge.succeed(0);
        assertThat(woken).containsExactly("other");
        assertThat(caller.tryHedge(1, 1, 0)).as("somebody waits").isNull();
        other.standDown();
        assertThat(caller.tryHedge(1, 1, 0)).isNotNull();
        Permit last = control.join(() -> {}).tryHedge(1, 1, 0);
        assertThat(last).as("no permit again").isNull();
    }

    @Test
    void aSecondCallNeedsABudgetAClosedBreakerAndABackendThatIsNotToBeLeftAlone() {
        Caller without = fixed(4).join(() -> {});
        assertThat(without.tryHedge(1, 1, 0)).as("retries are not bounded").isNull();

        BackendControl control = new BackendControl(new FixedLimit(4), null, new RetryBudget(0, 1));
        Caller caller = control.join(() -> {});
        call(caller).drop(0, SECOND);
        assertThat(caller.tryHedge(1, 1, SECOND - 1)).as("asked to wait").isNull();
        assertThat(caller.tryHedge(1, 1, SECOND)).isNotNull();
        assertThat(caller.tryHedge(1, 1, SECOND)).as("no budget").isNull();

        BackendControl broken =
                new BackendControl(
                        new FixedLimit(64),
                        new CircuitBreaker(BreakerSettings.DEFAULT),
                        new RetryBudget(1, 9));
        Caller breaking = broken.join(() -> {});
        while (broken.state() == CircuitBreaker.State.CLOSED) {
            call(breaking).drop(0, 0);
        }
        assertThat(breaking.tryHedge(1, 1, 0)).as("open").isNull();
        assertThat(breaking.tryHedge(1, 1, 60 * SECOND)).as("no probe either").isNull();
    }

    @Test
    void anOpenBreakerIsWaitedForAndAProbeNeedsNoBudget() {
        RetryBudget spent = new RetryBudget(0, 1);
        spent.tryRetry(0);
        BackendControl control =
                new BackendControl(
                        new FixedLimit(9), new CircuitBreaker(BreakerSettings.DEFAULT), spent);
        Caller caller = join(control, "caller");
        for (int i = 0; i < BreakerSettings.DEFAULT.leastCalls(); i++) {
            caller.tryCall(1, 1, 1, 0).drop(0, 0);
        }
        assertThat(control.state()).isEqualTo(CircuitBreaker.State.OPEN);
        assertThat(caller.tryCall(1, 1, 1, 0)).isNull();
        assertThat(caller.nanosUntilTry(1, 0)).isEqualTo(SECOND / 2);
        Permit probe = caller.tryCall(2, 1, 1, SECOND / 2);
        assertThat(probe).isNotNull();
        assertThat(caller.tryCall(1, 1, 1, SECOND / 2)).isNull();
        assertThat(caller.nanosUntilTry(1, SECOND / 2)).isEqualTo(BackendControl.UNTIL_WOKEN);
        probe.succeed(SECOND / 2 + 1);
        assertThat(woken).containsExactly("caller");
    }

    /**
     * Steps of four callers: 0 to 3 want a call more, 4 to 7 end the oldest one. Whoever is woken
     * tries again. Nobody passes the limit, and nobody waits while there is room.
     */
    @Property(tries = 500)
    void nobodyIsForgotten(
            @ForAll @Size(max = 200) List<@IntRange(min = 0, max = 7) Integer> steps,
            @ForAll @IntRange(min = 1, max = 5) int limit) {
        BackendControl control = fixed(limit);
        List<Caller> callers = new ArrayList<>();
        List<Deque<Permit>> permits = new ArrayList<>();
        Deque<Integer> tries = new ArrayDeque<>();
        int[] wanted = new int[4];
        for (int i = 0; i < 4; i++) {
            int index = i;
            callers.add(control.join(() -> tries.add(index)));
            permits.add(new ArrayDeque<>());
        }
        for (int step : steps) {
            int who = step % 4;
            if (step < 4) {
                wanted[who]++;
                tries.add(who);
            } else if (!permits.get(who).isEmpty()) {
                permits.get(who).poll().succeed(1);
            }
            while (!tries.isEmpty()) {
                int next = tries.poll();
                Permit permit = wanted[next] == 0 ? null : call(callers.get(next));
                if (permit != null) {
                    wanted[next]--;
                    permits.get(next).add(permit);
                    tries.add(next);
                } else if (wanted[next] == 0) {
                    callers.get(next).standDown();
                }
            }
            int held = permits.stream().mapToInt(Deque::size).sum();
            int wantedByAll = Arrays.stream(wanted).sum();
            assertThat(control.inFlight()).isEqualTo(held).isLessThanOrEqualTo(limit);
            assertThat(wantedByAll == 0 || held == limit).isTrue();
        }
    }

    /** Subtasks in threads of their own: the limit holds, all finish, each gets its part. */
    @Test
    void threadsShareALimit() throws InterruptedException {
        int threads = 4;
        int callsEach = 2_000;
        BackendControl control = fixed(3);
        AtomicInteger now = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        CountDownLatch finished = new CountDownLatch(threads);
        for (int i = 0; i < threads; i++) {
            Thread thread =
                    new Thread(
                            () -> {
                                Semaphore wake = new Semaphore(0);
                                Caller caller = control.join(wake::release);
                                for (int done = 0; done < callsEach; ) {
                                    Permit permit = caller.tryCall(1, 1, 1, 0);
                                    if (permit == null) {
                                        wake.acquireUninterruptibly();
                                    } else {
                                        most.accumulateAndGet(now.incrementAndGet(), Math::max);
                                        now.decrementAndGet();
                                        permit.succeed(1);
                                        done++;
                                    }
                                }
                                caller.close();
                                finished.countDown();
                            });
            thread.setDaemon(true);
            thread.start();
        }
        finished.await();
        assertThat(most.get()).isBetween(1, 3);
        assertThat(control.inFlight()).isZero();
    }

    /** One call at a time, and no retries. */
    private static BackendControl withoutBudget() {
        RetryBudget spent = new RetryBudget(0, 1);
        spent.tryRetry(0);
        return new BackendControl(new FixedLimit(1), null, spent);
    }

    private void haveAPermitKeptForTheFirst(BackendControl control, Caller one, Caller other) {
        Permit last = call(control.join(() -> {}));
        assertThat(call(one)).isNull();
        assertThat(call(other)).isNull();
        last.succeed(0);
        assertThat(woken).containsExactly("one");
    }

    private static BackendControl fixed(int limit) {
        return new BackendControl(new FixedLimit(limit), null, null);
    }

    private Caller join(BackendControl control, String name) {
        return control.join(() -> woken.add(name));
    }

    private static Permit call(Caller caller) {
        return caller.tryCall(1, 1, 1, 0);
    }
}
