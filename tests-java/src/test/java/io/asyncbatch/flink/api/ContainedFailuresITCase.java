package io.asyncbatch.flink.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.AsyncBatchFunction;
import io.asyncbatch.flink.DeadLetters;
import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.RowFailuresException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a job sees of rows that fail, through the Java API. */
@Timeout(120)
class ContainedFailuresITCase {

    @RegisterExtension static final MiniClusterExtension CLUSTER = Jobs.cluster(1);

    /** 4 makes its call fail, 7 has no result. */
    @ParameterizedTest
    @EnumSource
    void rowsThatFailAreDeadLettersAndOthersLeave(Ordering ordering) throws Exception {
        DataStream<Long> inputs = Jobs.environment().fromSequence(1, 10);
        SingleOutputStreamOperator<String> results =
                ordering.apply(
                        inputs,
                        new NoFoursNoSevens(),
                        Jobs.batchesOf(5).onFailure(OnFailure.DEAD_LETTER).isolate(true).build());
        DataStream<String> letters =
                results.getSideOutput(DeadLetters.tag(inputs.getType()))
                        .map(ContainedFailuresITCase::describe)
                        .returns(Types.STRING);

        assertThat(Jobs.collect(results.union(letters)))
                .containsExactlyInAnyOrder(
                        "10",
                        "20",
                        "30",
                        "50",
                        "60",
                        "80",
                        "90",
                        "100",
                        "4 EXCEPTION java.lang.IllegalStateException: a four",
                        "7 ROW_FAILURE java.lang.IllegalArgumentException: a seven");
    }

    private static String describe(Row letter) {
        return "%s %s %s: %s"
                .formatted(
                        letter.getField(DeadLetters.INPUT),
                        letter.getField(DeadLetters.ERROR_KIND),
                        letter.getField(DeadLetters.ERROR_CLASS),
                        letter.getField(DeadLetters.MESSAGE));
    }

    private static final class NoFoursNoSevens implements AsyncBatchFunction<Long, String> {

        private static final long serialVersionUID = 1L;

        @Override
        public void asyncInvokeBatch(List<Long> rows, ResultFuture<String> future) {
            if (rows.contains(4L)) {
                throw new IllegalStateException("a four");
            }
            List<String> results = rows.stream().map(row -> String.valueOf(10 * row)).toList();
            Map<Integer, Exception> failures = new TreeMap<>();
            if (rows.contains(7L)) {
                failures.put(rows.indexOf(7L), new IllegalArgumentException("a seven"));
            }
            if (failures.isEmpty()) {
                future.complete(results);
            } else {
                future.completeExceptionally(new RowFailuresException(results, failures));
            }
        }
    }
}
