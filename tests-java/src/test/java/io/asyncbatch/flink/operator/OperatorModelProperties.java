package io.asyncbatch.flink.operator;

import io.asyncbatch.flink.RowGrouping;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import io.asyncbatch.flink.operator.OperatorModel.Step;
import io.asyncbatch.flink.operator.OperatorModel.StepKind;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;
import org.apache.flink.api.java.functions.KeySelector;

/** Random lives of an operator, on a manual clock, each compared with {@link OperatorModel}. */
class OperatorModelProperties {

    @Property(tries = 1_000, edgeCases = EdgeCasesMode.NONE)
    void anyLifeLosesDuplicatesAndReordersNothing(
            @ForAll("settings") BatchSettings settings, @ForAll("steps") List<Step> steps)
            throws Exception {
        live(settings, RowGrouping.none(), steps);
    }

    /** Rows have seats of their own then, and all else has to be as without. */
    @Property(tries = 1_000, edgeCases = EdgeCasesMode.NONE)
    void norDoesOneInWhichNoTwoRowsAreEqual(
            @ForAll("settings") BatchSettings settings, @ForAll("steps") List<Step> steps)
            throws Exception {
        KeySelector<Integer, Object> ownOrNone = row -> row % 3 == 0 ? null : row;
        live(settings, RowGrouping.<Integer>builder().coalesceKey(ownOrNone).build(), steps);
    }

    private static void live(
            BatchSettings settings, RowGrouping<Integer> grouping, List<Step> steps)
            throws Exception {
        try (OperatorModel model = new OperatorModel(settings, grouping)) {
            for (Step step : steps) {
                model.take(step);
            }
            model.finish();
        }
    }

    @Provide
    Arbitrary<BatchSettings> settings() {
        return Combinators.combine(
                        Arbitraries.of(OutputMode.class),
                        Arbitraries.integers().between(1, 4),
                        Arbitraries.of(BatchSettings.NO_BATCH_TIMEOUT, 10L),
                        Arbitraries.of(25L, 1_000L),
                        Arbitraries.integers().between(1, 3),
                        Arbitraries.of(2L, 5L, Long.MAX_VALUE))
                .as(BatchSettings::new);
    }

    @Provide
    Arbitrary<List<Step>> steps() {
        Arbitrary<StepKind> kinds =
                Arbitraries.frequencyOf(
                        Tuple.of(10, Arbitraries.just(StepKind.ROW)),
                        Tuple.of(3, Arbitraries.just(StepKind.WATERMARK)),
                        Tuple.of(5, Arbitraries.just(StepKind.COMPLETE)),
                        Tuple.of(2, Arbitraries.just(StepKind.ANSWER_TIMEOUT)),
                        Tuple.of(4, Arbitraries.just(StepKind.ADVANCE_CLOCK)),
                        Tuple.of(3, Arbitraries.just(StepKind.RUN_ONE_MAIL)),
                        Tuple.of(4, Arbitraries.just(StepKind.RUN_ALL_MAILS)),
                        Tuple.of(2, Arbitraries.just(StepKind.RETRY)),
                        Tuple.of(1, Arbitraries.just(StepKind.FAIL)),
                        Tuple.of(1, Arbitraries.just(StepKind.SNAPSHOT)),
                        Tuple.of(1, Arbitraries.just(StepKind.CRASH)),
                        Tuple.of(1, Arbitraries.just(StepKind.RESCALE)));
        return Combinators.combine(kinds, Arbitraries.integers().between(0, 1_000))
                .as(Step::new)
                .list()
                .ofMaxSize(80);
    }
}
