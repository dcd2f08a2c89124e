package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What becomes of calls that are under way when their worker dies. */
class WorkerLossTest {

    private static final long TIMEOUT = 1_000;

    @ParameterizedTest
    @EnumSource
    void aLostCallIsMadeAgainInTheNextWorker(OutputMode mode) throws Exception {
        try (OperatorRig<Integer> rig = OperatorRig.open(Settings.of(mode).batchSize(2))) {
            rig.rows(1, 2);
            rig.invoker.killWorker();
            rig.runMails();
            assertThat(rig.invoker.invocations).hasSize(1);
            assertThat(rig.gauge("inflightBatches")).isEqualTo(1);
            rig.invoker.ready.complete(null);
            rig.runMails();
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2), List.of(1, 2));
            assertThat(rig.invoker.invocations.get(1).request.attempt()).isEqualTo(2);
            rig.succeed(1);
            assertThat(rig.output()).containsExactly("10", "20");
            assertThat(rig.counter("callsLostWithWorker")).isEqualTo(1);
            assertThat(rig.gauge("inflightBatches")).isEqualTo(0);
            assertThat(rig.timers.active()).isZero();
        }
    }

    @Test
    void theDeadlineBeginsAnewAndDoesNotRunWhileThereIsNoWorker() throws Exception {
        try (OperatorRig<Integer> rig = OperatorRig.open(Settings.ordered().timeout(TIMEOUT))) {
            rig.rows(1, 2).advance(TIMEOUT - 1);
            rig.invoker.killWorker();
            rig.runMails();
            rig.advance(100 * TIMEOUT);
            rig.invoker.ready.complete(null);
            rig.runMails().advance(TIMEOUT - 1);
            assertThat(rig.invoker.timeouts).isEmpty();
            rig.advance(1);
            assertThat(rig.invoker.timeouts).hasSize(1);
            assertThat(rig.counter("batchTimeoutCount")).isEqualTo(1);
        }
    }

    @Test
    void whatComesMeanwhileWaitsAndKeepsItsPlace() throws Exception {
        try (OperatorRig<Integer> rig = OperatorRig.open(Settings.unordered().batchSize(1))) {
            rig.rows(1, 2);
            rig.invoker.killWorker();
            rig.runMails();
            // The third one waits without a slot, and the next row for it.
            rig.mail(() -> rig.invoker.ready.complete(null)).rows(3);
            rig.runMails();
            assertThat(rig.invoker.batches())
                    .containsExactly(List.of(1), List.of(2), List.of(1), List.of(2), List.of(3));
        }
    }

    @Test
    void aSnapshotHoldsWhatWaitsForAWorker() throws Exception {
        Settings settings = Settings.ordered().batchSize(2);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            rig.rows(1, 2, 3, 4);
            rig.succeed(1);
            rig.invoker.killWorker();
            rig.runMails();
            try (OperatorRig<Integer> restored = OperatorRig.restore(settings, rig.snapshot())) {
                restored.finish();
                assertThat(restored.invoker.batches()).containsExactly(List.of(1, 2));
                assertThat(restored.output()).containsExactly("10", "20", "30", "40");
            }
        }
    }

    @Test
    void onlyRowsThatWereNotEarlyAreCalledForAgain() throws Exception {
        try (OperatorRig<Integer> rig = OperatorRig.open(Settings.unordered().batchSize(3))) {
            rig.rows(1, 2, 3);
            rig.invoker.invocations.get(0).yieldRows(1);
            rig.invoker.killWorker();
            rig.runMails();
            rig.invoker.ready.complete(null);
            rig.runMails();
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2, 3), List.of(1, 3));
            rig.succeed(1);
            assertThat(rig.output()).containsExactly("20", "10", "30");
        }
    }

    @Test
    void aRetryThatIsDueWhileThereIsNoWorkerWaitsForOne() throws Exception {
        Settings settings = Settings.unordered().batchSize(1).timeout(TIMEOUT);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            rig.rows(1, 2);
            rig.invoker.invocations.get(0).retry(5);
            rig.runMails();
            rig.invoker.killWorker();
            rig.runMails().advance(100 * TIMEOUT);
            assertThat(rig.invoker.invocations).hasSize(2);
            assertThat(rig.invoker.timeouts).isEmpty();
            rig.invoker.ready.complete(null);
            rig.runMails();
            assertThat(rig.invoker.batches().subList(2, 4))
                    .containsExactlyInAnyOrder(List.of(1), List.of(2));
            assertThat(rig.invoker.invocations.subList(2, 4))
                    .allSatisfy(call -> assertThat(call.request.attempt()).isEqualTo(2));
        }
    }

    /** It may have passed because the worker hung, and the batch is as innocent as any other. */
    @Test
    void aBatchWhoseTimeoutHandlerIsLostIsCalledAgain() throws Exception {
        Settings settings = Settings.ordered().batchSize(1).timeout(TIMEOUT);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            rig.rows(1).advance(TIMEOUT);
            assertThat(rig.invoker.timeouts).hasSize(1);
            rig.invoker.killWorker();
            rig.runMails();
            rig.invoker.ready.complete(null);
            rig.runMails();
            assertThat(rig.invoker.batches()).containsExactly(List.of(1), List.of(1));
            assertThat(rig.counter("lateResultsDropped")).isZero();
            rig.succeed(1);
            assertThat(rig.output()).containsExactly("10");
        }
    }

    @Test
    void aWorkerThatAnswersNoTimeoutIsReplaced() throws Exception {
        Settings settings = Settings.ordered().batchSize(1).timeout(TIMEOUT);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            rig.invoker.isReplaceable = true;
            rig.rows(1).advance(TIMEOUT).advance(30_000);
            assertThat(rig.invoker.replacements)
                    .singleElement()
                    .asString()
                    .contains("timeout of 1000 ms", "did not answer within 30000 ms");
            rig.invoker.killWorker();
            rig.runMails();
            rig.invoker.ready.complete(null);
            rig.runMails();
            rig.succeed(1);
            assertThat(rig.output()).containsExactly("10");
        }
    }

    @Test
    void aBatchThatNoWorkerGotIsNotSuspected() throws Exception {
        Settings settings = Settings.ordered().batchSize(1).suspectAfter(1);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            rig.rows(1, 2);
            for (int call = 0; call < 6; call += 2) {
                rig.invoker.invocations.get(call).lose(0);
                rig.invoker.invocations.get(call + 1).lose(0);
                rig.runMails();
            }
            assertThat(rig.invoker.invocations).hasSize(8);
            assertThat(rig.invoker.invocations)
                    .allSatisfy(call -> assertThat(call.request.attempt()).isEqualTo(1));
            assertThat(rig.counter("callsLostWithWorker")).isZero();
        }
    }

    // -------------------------------------------------------------- suspects

    @Test
    void whatWasInFlightAtTwoDeathsIsCalledForAloneBeforeAnythingElse() throws Exception {
        Settings settings = Settings.ordered().batchSize(1).capacity(2);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            rig.rows(1, 2);
            killAndRestart(rig);
            killAndRestart(rig);
            assertThat(openCalls(rig)).containsExactly(List.of(1));
            rig.succeed(4);
            assertThat(openCalls(rig)).containsExactly(List.of(2));
            // What is new waits meanwhile, and holds input back.
            rig.mail(
                            () -> {
                                assertThat(openCalls(rig)).containsExactly(List.of(2));
                                rig.invoker.invocations.get(5).succeed();
                            })
                    .rows(3);
            rig.runMails();
            assertThat(openCalls(rig)).containsExactly(List.of(3));
            assertThat(rig.output()).containsExactly("10", "20");
        }
    }

    @Test
    void aRowThatEndsWorkersIsFoundAndItsNeighboursLeave() throws Exception {
        Settings settings =
                Settings.ordered().batchSize(8).capacity(4).onFailure(OnFailure.DEAD_LETTER);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            Integer[] rows = IntStream.rangeClosed(1, 32).boxed().toArray(Integer[]::new);
            rig.rows(rows);
            int deaths = work(rig, Set.of(21));
            assertThat(rig.output())
                    .isEqualTo(
                            IntStream.rangeClosed(1, 32)
                                    .filter(row -> row != 21)
                                    .mapToObj(row -> String.valueOf(row * 10))
                                    .toList());
            assertThat(rig.deadLetters()).singleElement().asString().startsWith("21 WORKER_LOST");
            // Two with others, one for each of 8, 4 and 2 rows, and two alone.
            assertThat(deaths).isEqualTo(7);
            assertThat(rig.counter("rowsFailedByWorker")).isEqualTo(1);
            assertThat(rig.counter("batchesSplit")).isEqualTo(3);
            assertThat(rig.gauge("inflightBatches")).isEqualTo(0);
            assertThat(rig.timers.active()).isZero();
        }
    }

    @Test
    void aRowThatEndsWorkersFailsTheTaskUnlessContained() throws Exception {
        Settings settings = Settings.ordered().batchSize(1).suspectAfter(1);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            rig.rows(1);
            rig.invoker.killWorker();
            assertThatThrownBy(rig::runMails)
                    .hasMessageContaining("1 row")
                    .hasMessageContaining("killed");
            assertThat(rig.counter("batchesFailedByWorker")).isEqualTo(1);
        }
    }

    @Property(tries = 200)
    void onlyRowsThatEndWorkersAreDeadLetters(
            @ForAll @IntRange(min = 1, max = 40) int count,
            @ForAll @Size(max = 4) Set<@IntRange(min = 1, max = 40) Integer> bad,
            @ForAll @IntRange(min = 1, max = 9) int batchSize,
            @ForAll @IntRange(min = 1, max = 5) int capacity,
            @ForAll @IntRange(min = 1, max = 3) int suspectAfter,
            @ForAll OutputMode mode)
            throws Exception {
        Settings settings =
                Settings.of(mode)
                        .batchSize(batchSize)
                        .capacity(capacity)
                        .suspectAfter(suspectAfter)
                        .onFailure(OnFailure.DEAD_LETTER);
        List<String> good = new ArrayList<>();
        List<Integer> ended = new ArrayList<>();
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            for (int row = 1; row <= count; row++) {
                int next = row;
                (bad.contains(row) ? ended : new ArrayList<Integer>()).add(row);
                if (!bad.contains(row)) {
                    good.add(String.valueOf(row * 10));
                }
                rig.whileYielding(() -> rig.rows(next), () -> step(rig, bad));
            }
            rig.whileYielding(rig.harness::endInput, () -> step(rig, bad));
            rig.runMails();
            if (mode == OutputMode.ORDERED) {
                assertThat(rig.output()).isEqualTo(good);
            } else {
                assertThat(rig.output()).containsExactlyInAnyOrderElementsOf(good);
            }
            assertThat(rig.deadLetters().stream().map(letter -> letter.split(" ")[0]))
                    .containsExactlyInAnyOrderElementsOf(
                            ended.stream().map(String::valueOf).toList());
            assertThat(rig.timers.active()).isZero();
        }
    }

    // --------------------------------------------------------------- helpers

    private static void killAndRestart(OperatorRig<Integer> rig) throws Exception {
        rig.invoker.killWorker();
        rig.runMails();
        rig.invoker.ready.complete(null);
        rig.runMails();
    }

    private static List<List<Integer>> openCalls(OperatorRig<Integer> rig) {
        return rig.invoker.invocations.stream()
                .filter(FakeInvoker.Call::isOpen)
                .map(FakeInvoker.Call::inputs)
                .toList();
    }

    /** Has workers do what is in flight; those with a bad row die of it. Returns how many did. */
    private static int work(OperatorRig<Integer> rig, Set<Integer> bad) throws Exception {
        int deaths = 0;
        while (!openCalls(rig).isEmpty()) {
            if (step(rig, bad)) {
                deaths++;
            }
            rig.runMails();
        }
        return deaths;
    }

    /** Whether a worker died. If one has, it is there again before the next step. */
    private static boolean step(OperatorRig<Integer> rig, Set<Integer> bad) {
        rig.invoker.ready.complete(null);
        List<List<Integer>> open = openCalls(rig);
        if (open.stream().anyMatch(inputs -> inputs.stream().anyMatch(bad::contains))) {
            rig.invoker.killWorker();
            rig.mail(() -> rig.invoker.ready.complete(null));
            return true;
        }
        rig.invoker.invocations.stream()
                .filter(FakeInvoker.Call::isOpen)
                .findFirst()
                .ifPresent(FakeInvoker.Call::succeed);
        return false;
    }
}
