package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.CircuitBreakerOptions.WhenOpen;
import io.asyncbatch.flink.Concurrency;
import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.RetryBudgetOptions;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;

/** Two subtasks that share a backend, whose lives are interleaved in any way. */
class SharedPermitProperties {

    private static final int LIMIT = 2;

    /** More than the longest wait of any row takes, if nobody is forgotten. */
    private static final int MOST_TURNS = 20_000;

    enum StepKind {
        ROW,
        SUCCEED,
        RETRY,
        OVERLOAD,
        ADVANCE_CLOCK,
        RUN_ONE_MAIL,
        RUN_ALL_MAILS
    }

    record Step(StepKind kind, boolean first, int choice) {}

    @Property(tries = 300, edgeCases = EdgeCasesMode.NONE)
    void nobodyIsForgottenAndTheLimitIsKeptTogether(
            @ForAll OutputMode mode, @ForAll boolean breaker, @ForAll("steps") List<Step> steps)
            throws Exception {
        Settings settings =
                Settings.of(mode)
                        .batchSize(2)
                        .batchTimeout(10)
                        .capacity(3)
                        .timeout(5_000)
                        .onFailure(OnFailure.DEAD_LETTER)
                        .concurrency(Concurrency.fixed(LIMIT))
                        .retryBudget(new RetryBudgetOptions(0.5, 2))
                        .backend("shared by two " + UUID.randomUUID());
        if (breaker) {
            settings.circuitBreaker(Overload.breaker(WhenOpen.BACK_PRESSURE));
        }
        List<OperatorRig<Integer>> rigs = new ArrayList<>();
        try (var first = OperatorRig.create(settings.build(), 0, 2).opened();
                var second = OperatorRig.create(settings.build(), 1, 2).opened()) {
            rigs.add(first);
            rigs.add(second);
            int[] rows = {0, 0};
            for (Step step : steps) {
                int subtask = step.first() ? 0 : 1;
                take(step, rigs, subtask, rows);
                assertThat(callsInFlight(first) + callsInFlight(second)).isBetween(0, LIMIT);
            }
            finish(first, second);
            finish(second, first);
            for (int subtask = 0; subtask < 2; subtask++) {
                OperatorRig<Integer> rig = rigs.get(subtask);
                assertThat(rig.output().size() + rig.deadLetters().size()).isEqualTo(rows[subtask]);
                assertThat(callsInFlight(rig)).isZero();
            }
        }
    }

    private static void take(Step step, List<OperatorRig<Integer>> rigs, int subtask, int[] rows)
            throws Exception {
        OperatorRig<Integer> rig = rigs.get(subtask);
        switch (step.kind()) {
            case ROW -> {
                int row = ++rows[subtask];
                rig.whileYielding(() -> rig.rows(row), () -> rig.timers.advance(1));
            }
            case SUCCEED -> report(rig, step, null);
            case RETRY ->
                    report(rig, step, BatchOutcome.retry(new IllegalStateException("again"), 5));
            case OVERLOAD -> report(rig, step, BatchOutcome.retry(new Overload.Busy(), 5));
            case ADVANCE_CLOCK -> {
                // What one is held back for goes by for it alone, so their clocks differ too.
                rigs.get(0).timers.advance(1 + step.choice() % 40);
                rigs.get(1).timers.advance(1 + step.choice() % 40);
            }
            case RUN_ONE_MAIL -> rig.runMail();
            case RUN_ALL_MAILS -> rig.runMails();
        }
    }

    /**
     * @param outcome null if the call succeeds
     */
    private static void report(OperatorRig<Integer> rig, Step step, BatchOutcome<Integer> outcome) {
        List<FakeInvoker<Integer, Integer>.Call> open =
                rig.invoker.invocations.stream().filter(FakeInvoker.Call::isOpen).toList();
        if (open.isEmpty()) {
            return;
        }
        FakeInvoker<Integer, Integer>.Call call = open.get(step.choice() % open.size());
        if (outcome == null) {
            call.succeed();
        } else {
            call.report(outcome);
        }
    }

    /** Ends the input of one, while the other goes on as it did. */
    private static void finish(OperatorRig<Integer> ending, OperatorRig<Integer> other)
            throws Exception {
        int[] turns = {0};
        ending.whileYielding(
                ending.harness::endInput,
                () -> {
                    assertThat(++turns[0]).as("turns until all rows left").isLessThan(MOST_TURNS);
                    for (OperatorRig<Integer> rig : List.of(ending, other)) {
                        rig.invoker.invocations.stream()
                                .filter(FakeInvoker.Call::isOpen)
                                .forEach(call -> call.succeed());
                        rig.invoker.timeouts.stream()
                                .filter(FakeInvoker.Call::isOpen)
                                .forEach(call -> call.succeed());
                        rig.timers.advance(10);
                    }
                    other.runMails();
                });
    }

    private static int callsInFlight(OperatorRig<Integer> rig) {
        return (Integer) rig.gauge("callsInFlight");
    }

    @Provide
    Arbitrary<List<Step>> steps() {
        Arbitrary<StepKind> kinds =
                Arbitraries.frequencyOf(
                        Tuple.of(12, Arbitraries.just(StepKind.ROW)),
                        Tuple.of(5, Arbitraries.just(StepKind.SUCCEED)),
                        Tuple.of(2, Arbitraries.just(StepKind.RETRY)),
                        Tuple.of(2, Arbitraries.just(StepKind.OVERLOAD)),
                        Tuple.of(4, Arbitraries.just(StepKind.ADVANCE_CLOCK)),
                        Tuple.of(4, Arbitraries.just(StepKind.RUN_ONE_MAIL)),
                        Tuple.of(6, Arbitraries.just(StepKind.RUN_ALL_MAILS)));
        return Combinators.combine(
                        kinds, Arbitraries.of(true, false), Arbitraries.integers().between(0, 99))
                .as(Step::new)
                .list()
                .ofMaxSize(60);
    }
}
