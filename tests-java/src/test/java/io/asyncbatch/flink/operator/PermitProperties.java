package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.CircuitBreakerOptions.WhenOpen;
import io.asyncbatch.flink.Concurrency;
import io.asyncbatch.flink.HedgingOptions;
import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.RetryBudgetOptions;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;

/** Random lives of an operator whose calls need permits, on a manual clock. */
class PermitProperties {

    private static final int CAPACITY = 3;

    enum StepKind {
        ROW,
        SUCCEED,
        YIELD,
        RETRY,
        OVERLOAD,
        SAY_WHEN,
        FAIL,
        TOO_LARGE,
        ANSWER_TIMEOUT,
        KILL_WORKER,
        START_WORKER,
        ADVANCE_CLOCK,
        RUN_ONE_MAIL,
        RUN_ALL_MAILS,
        RESTORE
    }

    record Step(StepKind kind, int choice) {}

    /** What a step is about: the operator that runs now, and what has left those before it. */
    private static final class Life implements AutoCloseable {

        private final Settings settings;
        private final int most;
        private final List<Integer> left = new ArrayList<>();

        /** What calls have given early, by its place in them. */
        private final Map<FakeInvoker<Integer, Integer>.Call, Integer> yielded = new HashMap<>();

        private OperatorRig<Integer> rig;
        private int lastRow;

        Life(Settings settings, int most) throws Exception {
            this.settings = settings;
            this.most = most;
            this.rig = OperatorRig.open(settings);
        }

        void take(Step step) throws Exception {
            switch (step.kind()) {
                case ROW -> {
                    int row = ++lastRow;
                    rig.whileYielding(() -> rig.rows(row), () -> rig.timers.advance(1));
                }
                case SUCCEED -> open(step).ifPresent(this::succeed);
                case YIELD -> yieldOne(step);
                case RETRY -> open(step).ifPresent(call -> call.retry(step.choice() % 20));
                case OVERLOAD ->
                        report(step, BatchOutcome.retry(new Overload.Busy(), step.choice() % 20));
                case SAY_WHEN ->
                        report(
                                step,
                                BatchOutcome.failure(
                                        new Overload.BusyUntil(
                                                Duration.ofMillis(step.choice() % 50))));
                case FAIL -> report(step, BatchOutcome.failure(new IllegalStateException("no")));
                case TOO_LARGE ->
                        report(step, BatchOutcome.tooLarge(new IllegalStateException("large")));
                case ANSWER_TIMEOUT -> answerTimeouts();
                case KILL_WORKER -> {
                    if (rig.invoker.ready.isDone()) {
                        rig.invoker.killWorker();
                    }
                }
                case START_WORKER -> rig.invoker.ready.complete(null);
                case ADVANCE_CLOCK -> rig.timers.advance(1 + step.choice() % 40);
                case RUN_ONE_MAIL -> rig.runMail();
                case RUN_ALL_MAILS -> {
                    rig.runMails();
                    assertThat(callsInFlight())
                            .as("permits")
                            .isEqualTo(rig.invoker.underWay().size());
                }
                case RESTORE -> restore();
            }
            assertThat(callsInFlight()).as("permits").isBetween(0, most);
        }

        private Optional<FakeInvoker<Integer, Integer>.Call> open(Step step) {
            List<FakeInvoker<Integer, Integer>.Call> open =
                    rig.invoker.invocations.stream().filter(FakeInvoker.Call::isOpen).toList();
            return open.isEmpty()
                    ? Optional.empty()
                    : Optional.of(open.get(step.choice() % open.size()));
        }

        private void yieldOne(Step step) {
            open(step)
                    .filter(call -> call.inputs().size() == 2 && !yielded.containsKey(call))
                    .ifPresent(
                            call -> {
                                yielded.put(call, step.choice() % 2);
                                call.yieldRows(step.choice() % 2);
                            });
        }

        private void succeed(FakeInvoker<Integer, Integer>.Call call) {
            List<Integer> rest = new ArrayList<>(call.results());
            if (yielded.containsKey(call)) {
                rest.remove((int) yielded.get(call));
            }
            call.succeed(rest);
        }

        private void report(Step step, BatchOutcome<Integer> outcome) {
            open(step).ifPresent(call -> call.report(outcome));
        }

        private void answerTimeouts() {
            for (var call : rig.invoker.timeouts) {
                if (call.isOpen()) {
                    call.succeed(call.inputs().stream().map(row -> -row).toList());
                }
            }
        }

        private int callsInFlight() {
            return (Integer) rig.gauge("callsInFlight");
        }

        private void restore() throws Exception {
            OperatorSubtaskState state = rig.snapshot();
            collect();
            rig.close();
            assertThat(callsInFlight()).as("permits of a task that ended").isZero();
            rig = OperatorRig.restore(settings, state);
        }

        private void collect() {
            rig.output().forEach(value -> left.add(rowOf(Integer.parseInt(value))));
            rig.deadLetters().forEach(letter -> left.add(Integer.parseInt(letter.split(" ")[0])));
        }

        private static int rowOf(int value) {
            return value < 0 ? -value : value / 10;
        }

        /** All calls end well from now on, and then nothing is left of anything. */
        void finish() throws Exception {
            rig.invoker.ready.complete(null);
            rig.whileYielding(
                    rig.harness::endInput,
                    () -> {
                        rig.invoker.invocations.stream()
                                .filter(FakeInvoker.Call::isOpen)
                                .findFirst()
                                .ifPresent(this::succeed);
                        answerTimeouts();
                        rig.timers.advance(10);
                    });
            rig.runMails();
            collect();
            assertThat(left)
                    .as("each row once")
                    .containsExactlyInAnyOrderElementsOf(
                            IntStream.rangeClosed(1, lastRow).boxed().toList());
            assertThat(callsInFlight()).as("permits at the end").isZero();
            assertThat(rig.timers.active()).as("timers at the end").isZero();
        }

        @Override
        public void close() throws Exception {
            rig.close();
        }
    }

    @Property(tries = 500, edgeCases = EdgeCasesMode.NONE)
    void everyCallHasAPermitAndNoneIsLeft(
            @ForAll OutputMode mode,
            @ForAll("concurrencies") Concurrency concurrency,
            @ForAll("policies") Optional<WhenOpen> whenOpen,
            @ForAll boolean budget,
            @ForAll boolean hedging,
            @ForAll boolean isolate,
            @ForAll("timeouts") long timeout,
            @ForAll("steps") List<Step> steps)
            throws Exception {
        Settings settings =
                Settings.of(mode)
                        .batchSize(2)
                        .batchTimeout(10)
                        .capacity(CAPACITY)
                        .timeout(timeout)
                        .onFailure(OnFailure.DEAD_LETTER)
                        .concurrency(concurrency);
        whenOpen.ifPresent(policy -> settings.circuitBreaker(Overload.breaker(policy)));
        if (budget || hedging) {
            settings.retryBudget(new RetryBudgetOptions(hedging ? 1 : 0.1, 1));
        }
        if (hedging && concurrency.getMost().orElse(CAPACITY) > 1) {
            settings.hedging(new HedgingOptions(0.5, Duration.ofMillis(1), 1));
        }
        if (isolate) {
            settings.isolating();
        }
        try (Life life = new Life(settings, concurrency.getMost().orElse(CAPACITY))) {
            for (Step step : steps) {
                life.take(step);
            }
            life.finish();
        }
    }

    @Provide
    Arbitrary<Concurrency> concurrencies() {
        return Arbitraries.of(
                Concurrency.fixed(1),
                Concurrency.fixed(2),
                Concurrency.adaptive(),
                Concurrency.adaptive(1, 2));
    }

    @Provide
    Arbitrary<Optional<WhenOpen>> policies() {
        return Arbitraries.of(
                Optional.empty(),
                Optional.of(WhenOpen.BACK_PRESSURE),
                Optional.of(WhenOpen.FAIL_FAST));
    }

    @Provide
    Arbitrary<Long> timeouts() {
        return Arbitraries.of(60L, 5_000L);
    }

    @Provide
    Arbitrary<List<Step>> steps() {
        Arbitrary<StepKind> kinds =
                Arbitraries.frequencyOf(
                        Tuple.of(14, Arbitraries.just(StepKind.ROW)),
                        Tuple.of(6, Arbitraries.just(StepKind.SUCCEED)),
                        Tuple.of(1, Arbitraries.just(StepKind.YIELD)),
                        Tuple.of(3, Arbitraries.just(StepKind.RETRY)),
                        Tuple.of(3, Arbitraries.just(StepKind.OVERLOAD)),
                        Tuple.of(1, Arbitraries.just(StepKind.SAY_WHEN)),
                        Tuple.of(1, Arbitraries.just(StepKind.FAIL)),
                        Tuple.of(1, Arbitraries.just(StepKind.TOO_LARGE)),
                        Tuple.of(3, Arbitraries.just(StepKind.ANSWER_TIMEOUT)),
                        Tuple.of(1, Arbitraries.just(StepKind.KILL_WORKER)),
                        Tuple.of(2, Arbitraries.just(StepKind.START_WORKER)),
                        Tuple.of(5, Arbitraries.just(StepKind.ADVANCE_CLOCK)),
                        Tuple.of(4, Arbitraries.just(StepKind.RUN_ONE_MAIL)),
                        Tuple.of(6, Arbitraries.just(StepKind.RUN_ALL_MAILS)),
                        Tuple.of(1, Arbitraries.just(StepKind.RESTORE)));
        return Combinators.combine(kinds, Arbitraries.integers().between(0, 1_000))
                .as(Step::new)
                .list()
                .ofMaxSize(80);
    }
}
