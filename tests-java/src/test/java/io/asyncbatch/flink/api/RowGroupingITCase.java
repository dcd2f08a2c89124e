package io.asyncbatch.flink.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.AsyncBatchFunction;
import io.asyncbatch.flink.AsyncBatchOptions;
import io.asyncbatch.flink.AsyncDataStream;
import io.asyncbatch.flink.RowGrouping;
import java.time.Duration;
import java.util.List;
import java.util.stream.LongStream;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What users say of rows, in a job. A result is its batch. */
@Timeout(120)
class RowGroupingITCase {

    @RegisterExtension static final MiniClusterExtension CLUSTER = Jobs.cluster(1);

    private static final AsyncBatchOptions OPTIONS = Jobs.batchesOf(100).build();

    private static final class Batches implements AsyncBatchFunction<Long, String> {

        private static final long serialVersionUID = 1L;

        @Override
        public void asyncInvokeBatch(List<Long> rows, ResultFuture<String> future) {
            future.complete(rows.stream().map(row -> rows.toString()).toList());
        }
    }

    private static DataStream<Long> rows() {
        return StreamExecutionEnvironment.getExecutionEnvironment()
                .fromData(LongStream.rangeClosed(1, 6).boxed().toList(), Types.LONG);
    }

    @Test
    void batchesCloseByWeight() throws Exception {
        long unit = 10;
        RowGrouping<Long> grouping =
                RowGrouping.<Long>builder().weigh(row -> row * unit, 60).build();
        assertThat(
                        Jobs.collect(
                                AsyncDataStream.orderedWaitBatch(
                                        rows(), new Batches(), OPTIONS, grouping)))
                .containsExactly("[1, 2, 3]", "[1, 2, 3]", "[1, 2, 3]", "[4]", "[5]", "[6]");
    }

    @Test
    void equalRowsAreComputedOnce() throws Exception {
        RowGrouping<Long> grouping =
                RowGrouping.<Long>builder().coalesceKey(row -> row % 2).build();
        assertThat(
                        Jobs.collect(
                                AsyncDataStream.orderedWaitBatch(
                                        rows(), new Batches(), OPTIONS, grouping)))
                .hasSize(6)
                .containsOnly("[1, 2]");
    }

    @Test
    void rowsOfOneLengthShareABatch() throws Exception {
        RowGrouping<Long> grouping =
                RowGrouping.<Long>builder().weigh(row -> row % 3).lengthBuckets(1).build();
        AsyncBatchOptions options =
                Jobs.batchesOf(100).batchTimeout(Duration.ofSeconds(90)).build();
        assertThat(
                        Jobs.collect(
                                AsyncDataStream.unorderedWaitBatch(
                                        rows(), new Batches(), options, grouping)))
                .containsExactlyInAnyOrder(
                        "[1, 3, 4, 6]",
                        "[1, 3, 4, 6]",
                        "[1, 3, 4, 6]",
                        "[1, 3, 4, 6]",
                        "[2, 5]",
                        "[2, 5]");
    }
}
