package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.RowGrouping;
import io.asyncbatch.flink.WeightFunction;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Batches that close by what the user says of their rows. A row weighs ten times its number. */
@Timeout(60)
class BatchWeightTest {

    private static final WeightFunction<Integer> TENFOLD = row -> row * 10L;

    private static RowGrouping<Integer> upTo(long maxBatchWeight) {
        return RowGrouping.<Integer>builder().weigh(TENFOLD, maxBatchWeight).build();
    }

    @ParameterizedTest
    @EnumSource
    void closesBeforeTheRowThatIsTooMuch(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(9), upTo(100))) {
            rig.rows(4, 5, 2);
            assertThat(rig.invoker.batches()).containsExactly(List.of(4, 5));
            rig.finish();
            assertThat(rig.invoker.batches()).containsExactly(List.of(4, 5), List.of(2));
            assertThat(rig.output()).containsExactly("40", "50", "20");
            assertThat(rig.counter("batchesClosedByWeight")).isOne();
        }
    }

    @Test
    void closesWithTheRowThatIsJustEnough() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(9), upTo(100))) {
            rig.rows(4, 6);
            assertThat(rig.invoker.batches()).containsExactly(List.of(4, 6));
        }
    }

    @Test
    void rowHeavierThanTheLimitIsABatchAlone() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(9), upTo(100))) {
            rig.rows(1, 11, 2);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1), List.of(11));
        }
    }

    @Test
    void weightsThatOverflowALongStillCloseTheBatch() throws Exception {
        WeightFunction<Integer> heavy = row -> Long.MAX_VALUE - row;
        RowGrouping<Integer> grouping =
                RowGrouping.<Integer>builder().weigh(heavy, Long.MAX_VALUE).build();
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(9), grouping)) {
            rig.rows(1, 2, 3);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1), List.of(2));
        }
    }

    /** The rig's rows are as many bytes as their number. */
    @Test
    void boundsInRowsAndBytesStayInForce() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(3).maxBytes(9), upTo(1_000))) {
            rig.rows(5, 6, 1, 1, 1);
            assertThat(rig.invoker.batches()).containsExactly(List.of(5), List.of(6, 1, 1));
        }
    }

    @Test
    void restoredRowsAreWeighedAgain() throws Exception {
        Settings settings = Settings.ordered().batchSize(9);
        try (var rig = OperatorRig.open(settings, upTo(1_000))) {
            rig.rows(4, 5, 2);
            var snapshot = rig.snapshot();
            try (var restored = OperatorRig.create(settings.build(), upTo(100), 0, 1)) {
                restored.harness.initializeState(snapshot);
                restored.opened();
                assertThat(restored.invoker.batches()).containsExactly(List.of(4, 5));
            }
        }
    }

    @Test
    void refusesANegativeWeight() throws Exception {
        WeightFunction<Integer> negative = row -> -3;
        RowGrouping<Integer> grouping = RowGrouping.<Integer>builder().weigh(negative, 100).build();
        try (var rig = OperatorRig.open(Settings.ordered(), grouping)) {
            assertThatThrownBy(() -> rig.rows(1))
                    .hasMessage(
                            "weigh must return at least 0, got -3 for a row of java.lang.Integer");
        }
    }

    @Test
    void whatTheWeigherThrowsIsNamed() throws Exception {
        WeightFunction<Integer> broken =
                row -> {
                    throw new IllegalArgumentException("planted");
                };
        RowGrouping<Integer> grouping = RowGrouping.<Integer>builder().weigh(broken, 100).build();
        try (var rig = OperatorRig.open(Settings.ordered(), grouping)) {
            assertThatThrownBy(() -> rig.rows(1))
                    .hasMessage(
                            "weigh failed for a row of java.lang.Integer:"
                                    + " java.lang.IllegalArgumentException")
                    .hasRootCauseMessage("planted");
        }
    }

    @Test
    void refusesAMaximumThatIsNotPositive() {
        assertThatThrownBy(() -> upTo(0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("maxBatchWeight must be positive, got 0");
    }
}
