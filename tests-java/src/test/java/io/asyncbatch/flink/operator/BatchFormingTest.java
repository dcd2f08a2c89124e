package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import java.util.List;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple1;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** When a batch closes, and when it does not. */
@Timeout(60)
class BatchFormingTest {

    @ParameterizedTest
    @EnumSource
    void closesAtBatchSize(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(3))) {
            rig.rows(1, 2);
            assertThat(rig.invoker.invocations).isEmpty();
            rig.rows(3, 4);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2, 3));
        }
    }

    @ParameterizedTest
    @EnumSource
    void batchOfOneRowIsTheSingleRowOperator(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(1))) {
            rig.rows(1, 2);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1), List.of(2));
        }
    }

    @Test
    void closesWhenTheTimeoutOfItsFirstRowPassed() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(9).batchTimeout(10))) {
            rig.rows(1).advance(9);
            rig.rows(2);
            assertThat(rig.invoker.batches()).isEmpty();
            rig.advance(1);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2));
        }
    }

    @Test
    void timeoutStartsAgainWithTheFirstRowOfTheNextBatch() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(2).batchTimeout(10))) {
            rig.rows(1).advance(5);
            rig.rows(2, 3).advance(9);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2));
            rig.advance(1);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2), List.of(3));
        }
    }

    /**
     * The timer already fired into the mailbox when the batch filled up: cancelling is too late.
     */
    @Test
    void staleTimerDoesNotCloseALaterBatch() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(2).batchTimeout(10))) {
            rig.rows(1);
            rig.timers.advance(10);
            rig.rows(2, 3).runMails();
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2));
        }
    }

    @Test
    void sizeClosesTheTimer() throws Exception {
        try (var rig =
                OperatorRig.open(Settings.ordered().batchSize(2).batchTimeout(10).timeout(99))) {
            rig.rows(1);
            assertThat(rig.timers.active()).isOne();
            rig.rows(2).succeed(0);
            assertThat(rig.timers.active()).isZero();
        }
    }

    @Test
    void withoutTimeoutAPartialBatchWaits() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(2))) {
            rig.rows(1).advance(1_000_000);
            assertThat(rig.invoker.batches()).isEmpty();
            assertThat(rig.timers.active()).isZero();
        }
    }

    @Test
    void closesBeforeTheRowThatIsTooMuch() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(9).maxBytes(10))) {
            rig.rows(4, 5, 2);
            assertThat(rig.invoker.batches()).containsExactly(List.of(4, 5));
            rig.rows(8);
            assertThat(rig.invoker.batches()).containsExactly(List.of(4, 5), List.of(2, 8));
        }
    }

    @Test
    void rowHeavierThanTheLimitIsABatchAlone() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(9).maxBytes(10))) {
            rig.rows(1, 11, 2);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1), List.of(11));
        }
    }

    @Test
    void weightsThatOverflowALongStillCloseTheBatch() throws Exception {
        try (var rig =
                OperatorRig.open(
                        Settings.ordered().batchSize(9).maxBytes(Integer.MAX_VALUE - 1L))) {
            rig.rows(1, Integer.MAX_VALUE, Integer.MAX_VALUE);
            assertThat(rig.invoker.batchSizes()).containsExactly(1, 1, 1);
        }
    }

    @Test
    void refusesANegativeWeight() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered())) {
            assertThatThrownBy(() -> rig.rows(-1))
                    .hasMessage("the weight of a row must not be negative, got -1 bytes");
        }
    }

    @ParameterizedTest
    @EnumSource
    void endOfInputClosesTheRemainder(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(3).capacity(2))) {
            rig.invoker.answersAtOnce = true;
            rig.rows(1, 2, 3, 4, 5, 6, 7, 8);
            rig.finish();
            assertThat(rig.invoker.batchSizes()).containsExactly(3, 3, 2);
            assertThat(rig.output())
                    .containsExactly("10", "20", "30", "40", "50", "60", "70", "80");
            assertThat(rig.timers.active()).isZero();
        }
    }

    @Test
    void endOfAnEmptyInputInvokesNothing() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchTimeout(10))) {
            rig.finish();
            assertThat(rig.invoker.invocations).isEmpty();
        }
    }

    @ParameterizedTest
    @EnumSource
    void watermarksAndBarriersDoNotCloseABatch(OutputMode mode) throws Exception {
        try (var rig = OperatorRig.open(Settings.of(mode).batchSize(3))) {
            rig.row(1, 1).watermark(1);
            rig.snapshot();
            rig.row(2, 2).watermark(2);
            assertThat(rig.invoker.invocations).isEmpty();
            rig.row(3, 3);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2, 3));
        }
    }

    /** FLINK-12351 and FLINK-39532: the caller goes on using its object. */
    @Test
    void withObjectReuseEveryBufferedRowIsACopy() throws Exception {
        try (OperatorRig<Tuple1<Integer>> rig =
                OperatorRig.create(
                        Settings.ordered().batchSize(4),
                        Types.TUPLE(Types.INT),
                        row -> Tuple1.of(row.f0 * 10))) {
            rig.harness.getExecutionConfig().enableObjectReuse();
            rig.opened();
            Tuple1<Integer> reused = new Tuple1<>();
            StreamRecord<Tuple1<Integer>> record = new StreamRecord<>(reused);
            for (int value = 1; value <= 4; value++) {
                reused.f0 = value;
                record.setTimestamp(value);
                rig.harness.processElement(record);
            }
            assertThat(rig.invoker.batches())
                    .containsExactly(
                            List.of(Tuple1.of(1), Tuple1.of(2), Tuple1.of(3), Tuple1.of(4)));
            rig.succeed(0);
            assertThat(rig.output()).containsExactly("(10)@1", "(20)@2", "(30)@3", "(40)@4");
        }
    }

    @Test
    void inputsOfARequestCannotBeChanged() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(2))) {
            rig.rows(1, 2);
            List<Integer> inputs = rig.invoker.invocations.get(0).inputs();
            assertThatThrownBy(() -> inputs.set(0, 9))
                    .isInstanceOf(UnsupportedOperationException.class);
        }
    }
}
