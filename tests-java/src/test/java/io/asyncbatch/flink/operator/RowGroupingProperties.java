package io.asyncbatch.flink.operator;

import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.RowGrouping;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import io.asyncbatch.flink.operator.RowGroupingModel.Step;
import io.asyncbatch.flink.operator.RowGroupingModel.StepKind;
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

/** Random lives of an operator that looks at what is in rows, on a manual clock. */
class RowGroupingProperties {

    private static final KeySelector<Integer, Object> KEY =
            row -> RowGroupingModel.keyOf(row) == 0 ? null : RowGroupingModel.keyOf(row);

    private static final RowGrouping<Integer> COALESCED =
            RowGrouping.<Integer>builder().coalesceKey(KEY).build();

    private static final RowGrouping<Integer> WEIGHED_AND_COALESCED =
            RowGrouping.<Integer>builder()
                    .weigh(RowGroupingModel::weightOf, 12)
                    .coalesceKey(KEY)
                    .build();

    private static final RowGrouping<Integer> IN_BUCKETS =
            RowGrouping.<Integer>builder()
                    .weigh(RowGroupingModel::weightOf, 12)
                    .lengthBuckets(2, 5)
                    .build();

    private static final RowGrouping<Integer> COALESCED_IN_BUCKETS =
            RowGrouping.<Integer>builder()
                    .weigh(RowGroupingModel::weightOf)
                    .lengthBuckets(2, 5)
                    .coalesceKey(KEY)
                    .build();

    @Property(tries = 1_500, edgeCases = EdgeCasesMode.NONE)
    void eachRowHasItsResultOnceAndNothingOvertakes(
            @ForAll("settings") Settings settings,
            @ForAll("groupings") RowGrouping<Integer> grouping,
            @ForAll("steps") List<Step> steps)
            throws Exception {
        live(settings, grouping, steps);
    }

    @Property(tries = 1_000, edgeCases = EdgeCasesMode.NONE)
    void bucketsLoseDuplicateAndOvertakeNothing(
            @ForAll("settings") Settings settings,
            @ForAll("bucketed") RowGrouping<Integer> grouping,
            @ForAll("steps") List<Step> steps)
            throws Exception {
        live(settings.mode(OutputMode.UNORDERED).batchTimeout(10), grouping, steps);
    }

    @Provide
    Arbitrary<RowGrouping<Integer>> bucketed() {
        return Arbitraries.of(IN_BUCKETS, COALESCED_IN_BUCKETS);
    }

    private static void live(Settings settings, RowGrouping<Integer> grouping, List<Step> steps)
            throws Exception {
        try (RowGroupingModel model = new RowGroupingModel(settings.build(), grouping)) {
            for (Step step : steps) {
                model.take(step);
            }
            model.finish();
        }
    }

    @Provide
    Arbitrary<RowGrouping<Integer>> groupings() {
        return Arbitraries.of(COALESCED, WEIGHED_AND_COALESCED);
    }

    @Provide
    Arbitrary<Settings> settings() {
        return Combinators.combine(
                        Arbitraries.of(OutputMode.class),
                        Arbitraries.integers().between(1, 4),
                        Arbitraries.of(BatchSettings.NO_BATCH_TIMEOUT, 10L),
                        Arbitraries.of(25L, 1_000L),
                        Arbitraries.integers().between(1, 3),
                        Arbitraries.of(20L, Long.MAX_VALUE),
                        Arbitraries.of(true, false))
                .as(
                        (mode, batchSize, batchTimeout, timeout, capacity, bytes, isolates) -> {
                            Settings settings =
                                    Settings.of(mode)
                                            .batchSize(batchSize)
                                            .batchTimeout(batchTimeout)
                                            .timeout(timeout)
                                            .capacity(capacity)
                                            .maxBytes(bytes)
                                            .maxBytesInFlight(bytes)
                                            .onFailure(OnFailure.DEAD_LETTER);
                            return isolates ? settings.isolating() : settings;
                        });
    }

    @Provide
    Arbitrary<List<Step>> steps() {
        Arbitrary<StepKind> kinds =
                Arbitraries.frequencyOf(
                        Tuple.of(12, Arbitraries.just(StepKind.ROW)),
                        Tuple.of(3, Arbitraries.just(StepKind.WATERMARK)),
                        Tuple.of(4, Arbitraries.just(StepKind.SUCCEED)),
                        Tuple.of(2, Arbitraries.just(StepKind.YIELD_ROW)),
                        Tuple.of(2, Arbitraries.just(StepKind.FAIL)),
                        Tuple.of(2, Arbitraries.just(StepKind.FAIL_ROW)),
                        Tuple.of(1, Arbitraries.just(StepKind.KILL_WORKER)),
                        Tuple.of(2, Arbitraries.just(StepKind.ANSWER_TIMEOUT)),
                        Tuple.of(4, Arbitraries.just(StepKind.ADVANCE_CLOCK)),
                        Tuple.of(4, Arbitraries.just(StepKind.RUN_MAILS)),
                        Tuple.of(1, Arbitraries.just(StepKind.SNAPSHOT)),
                        Tuple.of(1, Arbitraries.just(StepKind.CRASH)));
        return Combinators.combine(kinds, Arbitraries.integers().between(0, 1_000))
                .as(Step::new)
                .list()
                .ofMaxSize(80);
    }
}
