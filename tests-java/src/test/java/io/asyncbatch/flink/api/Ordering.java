package io.asyncbatch.flink.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.AsyncBatchFunction;
import io.asyncbatch.flink.AsyncBatchOptions;
import io.asyncbatch.flink.AsyncDataStream;
import java.util.List;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.functions.async.AsyncRetryStrategy;

/** The two families of methods, and what each says about the order of results. */
enum Ordering {
    ORDERED {
        @Override
        <IN, OUT> SingleOutputStreamOperator<OUT> apply(
                DataStream<IN> in, AsyncBatchFunction<IN, OUT> function, AsyncBatchOptions how) {
            return AsyncDataStream.orderedWaitBatch(in, function, how);
        }

        @Override
        <IN, OUT> SingleOutputStreamOperator<OUT> applyWithRetry(
                DataStream<IN> in,
                AsyncBatchFunction<IN, OUT> function,
                AsyncBatchOptions how,
                AsyncRetryStrategy<OUT> strategy) {
            return AsyncDataStream.orderedWaitBatchWithRetry(in, function, how, strategy);
        }

        @Override
        <T extends Comparable<T>> void assertResults(List<T> actual, List<T> inInputOrder) {
            assertThat(actual).isEqualTo(inInputOrder);
        }
    },

    UNORDERED {
        @Override
        <IN, OUT> SingleOutputStreamOperator<OUT> apply(
                DataStream<IN> in, AsyncBatchFunction<IN, OUT> function, AsyncBatchOptions how) {
            return AsyncDataStream.unorderedWaitBatch(in, function, how);
        }

        @Override
        <IN, OUT> SingleOutputStreamOperator<OUT> applyWithRetry(
                DataStream<IN> in,
                AsyncBatchFunction<IN, OUT> function,
                AsyncBatchOptions how,
                AsyncRetryStrategy<OUT> strategy) {
            return AsyncDataStream.unorderedWaitBatchWithRetry(in, function, how, strategy);
        }

        @Override
        <T extends Comparable<T>> void assertResults(List<T> actual, List<T> inInputOrder) {
            assertThat(actual.stream().sorted().toList())
                    .isEqualTo(inInputOrder.stream().sorted().toList());
        }
    };

    abstract <IN, OUT> SingleOutputStreamOperator<OUT> apply(
            DataStream<IN> in, AsyncBatchFunction<IN, OUT> function, AsyncBatchOptions how);

    abstract <IN, OUT> SingleOutputStreamOperator<OUT> applyWithRetry(
            DataStream<IN> in,
            AsyncBatchFunction<IN, OUT> function,
            AsyncBatchOptions how,
            AsyncRetryStrategy<OUT> strategy);

    /** Each result once, and in the order of the inputs where that is promised. */
    abstract <T extends Comparable<T>> void assertResults(List<T> actual, List<T> inInputOrder);
}
