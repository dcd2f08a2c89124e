package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.invoker.BatchOutcome;
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

/** Calls that fail, and are followed by calls for their halves. */
class IsolationTest {

    private static final RuntimeException BAD = new IllegalStateException("planted");

    /** Answers all open calls until there are none: those that have a bad row fail. */
    private static void answerAll(OperatorRig<Integer> rig, Set<Integer> bad) throws Exception {
        boolean answered = true;
        while (answered) {
            answered = false;
            for (var call : List.copyOf(rig.invoker.invocations)) {
                if (call.isOpen()) {
                    answered = true;
                    if (call.inputs().stream().anyMatch(bad::contains)) {
                        call.fail(BAD);
                    } else {
                        call.succeed();
                    }
                }
            }
            rig.runMails();
        }
    }

    @ParameterizedTest
    @EnumSource
    void theBadRowStandsAloneInTheEnd(OutputMode mode) throws Exception {
        Settings settings =
                Settings.of(mode).batchSize(8).isolating().onFailure(OnFailure.DEAD_LETTER);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            rig.rows(1, 2, 3, 4, 5, 6, 7, 8);
            answerAll(rig, Set.of(3));
            assertThat(rig.output()).containsExactly("10", "20", "40", "50", "60", "70", "80");
            assertThat(rig.deadLetters()).containsExactly("3 EXCEPTION planted 4");
            assertThat(rig.invoker.batches())
                    .containsExactly(
                            List.of(1, 2, 3, 4, 5, 6, 7, 8),
                            List.of(1, 2, 3, 4),
                            List.of(1, 2),
                            List.of(3, 4),
                            List.of(3),
                            List.of(4),
                            List.of(5, 6, 7, 8));
            assertThat(rig.counter("batchesSplit")).isEqualTo(3);
            assertThat(rig.counter("rowsFailedByException")).isEqualTo(1);
            assertThat(rig.timers.active()).isZero();
        }
    }

    @Test
    void goodRowsDoNotWaitForTheBadOne() throws Exception {
        Settings settings = Settings.ordered().batchSize(4).isolating().onFailure(OnFailure.SKIP);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            rig.rows(1, 2, 3, 4);
            rig.invoker.invocations.get(0).fail(BAD);
            rig.runMails();
            rig.succeed(1);
            assertThat(rig.output()).containsExactly("10", "20");
        }
    }

    @Test
    void withoutIsolationAllRowsOfTheCallAreDeadLetters() throws Exception {
        Settings settings = Settings.ordered().batchSize(2).onFailure(OnFailure.DEAD_LETTER);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            rig.rows(1, 2, 3, 4);
            rig.invoker.invocations.get(0).fail(BAD);
            rig.succeed(1);
            assertThat(rig.output()).containsExactly("30", "40");
            assertThat(rig.deadLetters())
                    .containsExactly("1 EXCEPTION planted 1", "2 EXCEPTION planted 1");
        }
    }

    @Test
    void isolationAloneFailsTheTaskOnceTheBadRowIsFound() throws Exception {
        Settings settings = Settings.ordered().batchSize(2).isolating();
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            rig.rows(1, 2);
            assertThatThrownBy(() -> answerAll(rig, Set.of(2)))
                    .hasMessageContaining("batch of 1 row")
                    .hasMessageContaining("planted");
            assertThat(rig.output()).containsExactly("10");
        }
    }

    @Test
    void whatIsBrokenIsNotIsolated() throws Exception {
        Settings settings =
                Settings.ordered().batchSize(2).isolating().onFailure(OnFailure.DEAD_LETTER);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            rig.rows(1, 2);
            rig.invoker.invocations.get(0).breakInvoker(new IllegalStateException("died"));
            assertThatThrownBy(rig::runMails).hasMessageContaining("died");
        }
    }

    @Test
    void theDeadlineEndsIsolation() throws Exception {
        Settings settings =
                Settings.ordered().batchSize(4).isolating().onFailure(OnFailure.DEAD_LETTER);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            rig.rows(1, 2, 3, 4);
            rig.invoker.invocations.get(0).fail(BAD);
            rig.runMails();
            rig.advance(1_000);
            assertThat(rig.invoker.timeouts.get(0).inputs()).containsExactly(1, 2);
            assertThat(rig.invoker.timeouts.get(0).request)
                    .isSameAs(rig.invoker.invocations.get(1).request);
            rig.invoker.timeouts.get(0).succeed(List.of(-1, -2));
            rig.runMails();
            assertThat(rig.invoker.timeouts.get(1).inputs()).containsExactly(3, 4);
            rig.invoker.timeouts.get(1).fail(BAD);
            rig.runMails();
            assertThat(rig.output()).containsExactly("-1", "-2");
            assertThat(rig.deadLetters())
                    .containsExactly("3 TIMEOUT planted 1", "4 TIMEOUT planted 1");
            assertThat(rig.timers.active()).isZero();
        }
    }

    @Test
    void aTimeoutHandlerIsAskedOnceForTheSameRows() throws Exception {
        Settings settings = Settings.ordered().batchSize(2).isolating().onFailure(OnFailure.SKIP);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            rig.rows(1, 2).advance(1_000);
            rig.invoker.timeouts.get(0).succeed(List.of(-1));
            rig.runMails();
            assertThat(rig.invoker.timeouts).hasSize(1);
            assertThat(rig.counter("rowsFailedByInvalidResult")).isEqualTo(2);
        }
    }

    @Test
    void aHalfIsRetriedAsTheWholeWas() throws Exception {
        Settings settings = Settings.ordered().batchSize(2).isolating().onFailure(OnFailure.SKIP);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            rig.rows(1, 2);
            rig.invoker.invocations.get(0).fail(BAD);
            rig.runMails();
            rig.invoker.invocations.get(1).retry(3);
            rig.runMails();
            rig.advance(3);
            var again = rig.invoker.invocations.get(2);
            assertThat(again.inputs()).containsExactly(1);
            assertThat(again.request.batchId())
                    .isEqualTo(rig.invoker.invocations.get(1).request.batchId());
            assertThat(again.request.attempt()).isEqualTo(3);
            again.succeed();
            rig.runMails();
            rig.succeed(3);
            assertThat(rig.output()).containsExactly("10", "20");
        }
    }

    @Property(tries = 200)
    void everyRowHasItsOwnOutcomeHoweverRowsAreGrouped(
            @ForAll @IntRange(min = 1, max = 40) int rows,
            @ForAll @IntRange(min = 1, max = 16) int batchSize,
            @ForAll @Size(max = 6) Set<@IntRange(min = 1, max = 40) Integer> bad,
            @ForAll OutputMode mode)
            throws Exception {
        Settings settings =
                Settings.of(mode)
                        .batchSize(batchSize)
                        .capacity(100)
                        .isolating()
                        .onFailure(OnFailure.DEAD_LETTER);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            for (int row = 1; row <= rows; row++) {
                rig.rows(row);
            }
            rig.whileYielding(rig.harness::endInput, () -> answerAll(rig, bad));
            rig.runMails();
            List<String> good = new ArrayList<>();
            List<String> failed = new ArrayList<>();
            IntStream.rangeClosed(1, rows)
                    .forEach(row -> (bad.contains(row) ? failed : good).add(String.valueOf(row)));
            assertThat(rig.output())
                    .containsExactlyInAnyOrderElementsOf(good.stream().map(r -> r + "0").toList());
            assertThat(rig.deadLetters().stream().map(letter -> letter.split(" ")[0]).toList())
                    .containsExactlyInAnyOrderElementsOf(failed);
            long batches = (rows + batchSize - 1) / batchSize;
            long depth = 32 - Integer.numberOfLeadingZeros(Math.max(1, batchSize - 1));
            assertThat((long) rig.invoker.invocations.size())
                    .as("calls")
                    .isLessThanOrEqualTo(batches + 2 * failed.size() * depth);
        }
    }

    // ------------------------------------------------------------- too large

    /** Rows that weigh alike, so that only how many they are makes a batch too large. */
    private static OperatorRig<Integer> rowsOfOneByte(Settings settings) throws Exception {
        return OperatorRig.create(settings.build(), row -> 1).opened();
    }

    @Test
    void whatIsTooLargeIsHalvedAndSmallerBatchesFollow() throws Exception {
        try (OperatorRig<Integer> rig = rowsOfOneByte(Settings.ordered().batchSize(4))) {
            rig.rows(1, 2, 3, 4);
            rig.invoker.invocations.get(0).report(BatchOutcome.tooLarge(BAD));
            rig.runMails();
            assertThat(rig.gauge("learnedBatchSize")).isEqualTo(2);
            rig.rows(5, 6);
            assertThat(rig.invoker.batches())
                    .containsExactly(List.of(1, 2, 3, 4), List.of(1, 2), List.of(5, 6));
            rig.succeed(1);
            rig.succeed(2);
            rig.succeed(3);
            assertThat(rig.output()).containsExactly("10", "20", "30", "40", "50", "60");
        }
    }

    @Test
    void aSingleRowThatIsTooLargeHasFailed() throws Exception {
        Settings settings = Settings.ordered().batchSize(2).onFailure(OnFailure.DEAD_LETTER);
        try (OperatorRig<Integer> rig = OperatorRig.open(settings)) {
            rig.rows(1, 2);
            rig.invoker.invocations.get(0).report(BatchOutcome.tooLarge(BAD));
            rig.runMails();
            rig.invoker.invocations.get(1).report(BatchOutcome.tooLarge(BAD));
            rig.runMails();
            rig.succeed(2);
            assertThat(rig.output()).containsExactly("20");
            assertThat(rig.deadLetters()).containsExactly("1 TOO_LARGE planted 2");
        }
    }

    @Test
    void theLimitRecovers() throws Exception {
        try (OperatorRig<Integer> rig = rowsOfOneByte(Settings.ordered().batchSize(4))) {
            rig.rows(1, 2, 3, 4);
            rig.invoker.invocations.get(0).report(BatchOutcome.tooLarge(BAD));
            rig.runMails();
            rig.invoker.answersAtOnce = true;
            rig.invoker.invocations.get(1).succeed();
            rig.runMails();
            for (int row = 5; row < 200; row++) {
                rig.rows(row).runMails();
            }
            assertThat(rig.gauge("learnedBatchSize")).isEqualTo(4);
            assertThat(rig.invoker.batchSizes()).endsWith(4, 4);
        }
    }
}
