package io.asyncbatch.flink;

import io.asyncbatch.flink.graph.JavaAsyncBatchTransformation;
import io.asyncbatch.flink.operator.BatchSettings;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.functions.async.AsyncRetryStrategy;
import org.apache.flink.streaming.util.retryable.AsyncRetryStrategies;

/**
 * Applies {@link AsyncBatchFunction}s to streams. Flink's own methods, for single rows, are
 * inherited.
 *
 * <pre>{@code
 * DataStream<Float> scores = AsyncDataStream.unorderedWaitBatch(
 *         images, new Classify(), 30, TimeUnit.SECONDS, 32);
 * }</pre>
 *
 * <p>In all methods {@code timeout} is a batch's deadline from its dispatch, over all attempts, and
 * {@code capacity} counts batches. A value out of range is refused with an {@link
 * IllegalArgumentException} that names the option, a function that does not serialize with an
 * {@link org.apache.flink.api.common.InvalidProgramException}.
 */
@PublicEvolving
public class AsyncDataStream extends org.apache.flink.streaming.api.datastream.AsyncDataStream {

    // -------------------------------------------------------------- unordered

    /**
     * Results leave as their batches finish, never across a watermark.
     *
     * @param batchSize most rows of a batch; a partial batch waits for more rows or the end of
     *     input
     */
    public static <IN, OUT> SingleOutputStreamOperator<OUT> unorderedWaitBatch(
            DataStream<IN> in,
            AsyncBatchFunction<IN, OUT> func,
            long timeout,
            TimeUnit timeUnit,
            int batchSize) {
        return unorderedWaitBatch(in, func, options(timeout, timeUnit, batchSize).build());
    }

    /**
     * Results leave as their batches finish, never across a watermark.
     *
     * @param timeUnit unit of {@code timeout} and {@code batchTimeout}
     * @param batchSize most rows of a batch
     * @param batchTimeout a partial batch closes this long after its first row
     * @param capacity most batches that are invoked or await emission
     */
    public static <IN, OUT> SingleOutputStreamOperator<OUT> unorderedWaitBatch(
            DataStream<IN> in,
            AsyncBatchFunction<IN, OUT> func,
            long timeout,
            TimeUnit timeUnit,
            int batchSize,
            long batchTimeout,
            int capacity) {
        return unorderedWaitBatch(
                in, func, options(timeout, timeUnit, batchSize, batchTimeout, capacity));
    }

    /** Results leave as their batches finish, never across a watermark. */
    public static <IN, OUT> SingleOutputStreamOperator<OUT> unorderedWaitBatch(
            DataStream<IN> in, AsyncBatchFunction<IN, OUT> func, AsyncBatchOptions options) {
        return unorderedWaitBatchWithRetry(in, func, options, noRetry());
    }

    /**
     * Results leave as their batches finish, never across a watermark. Calls are repeated as the
     * strategy says, and keep their place and their slot meanwhile.
     *
     * @param timeUnit unit of {@code timeout} and {@code batchTimeout}
     * @param batchSize most rows of a batch
     * @param batchTimeout a partial batch closes this long after its first row
     * @param capacity most batches that are invoked or await emission
     * @param asyncRetryStrategy its predicates see all results of a batch, or what its call failed
     *     with; they are called by the task's thread
     */
    public static <IN, OUT> SingleOutputStreamOperator<OUT> unorderedWaitBatchWithRetry(
            DataStream<IN> in,
            AsyncBatchFunction<IN, OUT> func,
            long timeout,
            TimeUnit timeUnit,
            int batchSize,
            long batchTimeout,
            int capacity,
            AsyncRetryStrategy<OUT> asyncRetryStrategy) {
        return unorderedWaitBatchWithRetry(
                in,
                func,
                options(timeout, timeUnit, batchSize, batchTimeout, capacity),
                asyncRetryStrategy);
    }

    /**
     * Results leave as their batches finish, never across a watermark. Calls are repeated as the
     * strategy says, and keep their place and their slot meanwhile.
     *
     * @param asyncRetryStrategy its predicates see all results of a batch, or what its call failed
     *     with; they are called by the task's thread
     */
    public static <IN, OUT> SingleOutputStreamOperator<OUT> unorderedWaitBatchWithRetry(
            DataStream<IN> in,
            AsyncBatchFunction<IN, OUT> func,
            AsyncBatchOptions options,
            AsyncRetryStrategy<OUT> asyncRetryStrategy) {
        return unorderedWaitBatchWithRetry(
                in, func, options, asyncRetryStrategy, RowGrouping.none());
    }

    /**
     * Results leave as their batches finish, never across a watermark.
     *
     * @param grouping which rows share a batch by what is in them; functions that do not serialize
     *     are refused as {@code func} is
     */
    public static <IN, OUT> SingleOutputStreamOperator<OUT> unorderedWaitBatch(
            DataStream<IN> in,
            AsyncBatchFunction<IN, OUT> func,
            AsyncBatchOptions options,
            RowGrouping<IN> grouping) {
        return unorderedWaitBatchWithRetry(in, func, options, noRetry(), grouping);
    }

    /**
     * Results leave as their batches finish, never across a watermark. Calls are repeated as the
     * strategy says, and keep their place and their slot meanwhile.
     *
     * @param asyncRetryStrategy its predicates see all results of a batch, or what its call failed
     *     with; they are called by the task's thread
     * @param grouping which rows share a batch by what is in them; functions that do not serialize
     *     are refused as {@code func} is
     */
    public static <IN, OUT> SingleOutputStreamOperator<OUT> unorderedWaitBatchWithRetry(
            DataStream<IN> in,
            AsyncBatchFunction<IN, OUT> func,
            AsyncBatchOptions options,
            AsyncRetryStrategy<OUT> asyncRetryStrategy,
            RowGrouping<IN> grouping) {
        return JavaAsyncBatchTransformation.add(
                in,
                func,
                options,
                asyncRetryStrategy,
                grouping,
                BatchSettings.OutputMode.UNORDERED);
    }

    // ---------------------------------------------------------------- ordered

    /**
     * Results leave in the order of the inputs.
     *
     * @param batchSize most rows of a batch; a partial batch waits for more rows or the end of
     *     input
     */
    public static <IN, OUT> SingleOutputStreamOperator<OUT> orderedWaitBatch(
            DataStream<IN> in,
            AsyncBatchFunction<IN, OUT> func,
            long timeout,
            TimeUnit timeUnit,
            int batchSize) {
        return orderedWaitBatch(in, func, options(timeout, timeUnit, batchSize).build());
    }

    /**
     * Results leave in the order of the inputs.
     *
     * @param timeUnit unit of {@code timeout} and {@code batchTimeout}
     * @param batchSize most rows of a batch
     * @param batchTimeout a partial batch closes this long after its first row
     * @param capacity most batches that are invoked or await emission
     */
    public static <IN, OUT> SingleOutputStreamOperator<OUT> orderedWaitBatch(
            DataStream<IN> in,
            AsyncBatchFunction<IN, OUT> func,
            long timeout,
            TimeUnit timeUnit,
            int batchSize,
            long batchTimeout,
            int capacity) {
        return orderedWaitBatch(
                in, func, options(timeout, timeUnit, batchSize, batchTimeout, capacity));
    }

    /** Results leave in the order of the inputs. */
    public static <IN, OUT> SingleOutputStreamOperator<OUT> orderedWaitBatch(
            DataStream<IN> in, AsyncBatchFunction<IN, OUT> func, AsyncBatchOptions options) {
        return orderedWaitBatchWithRetry(in, func, options, noRetry());
    }

    /**
     * Results leave in the order of the inputs. Calls are repeated as the strategy says, and keep
     * their place and their slot meanwhile.
     *
     * @param timeUnit unit of {@code timeout} and {@code batchTimeout}
     * @param batchSize most rows of a batch
     * @param batchTimeout a partial batch closes this long after its first row
     * @param capacity most batches that are invoked or await emission
     * @param asyncRetryStrategy its predicates see all results of a batch, or what its call failed
     *     with; they are called by the task's thread
     */
    public static <IN, OUT> SingleOutputStreamOperator<OUT> orderedWaitBatchWithRetry(
            DataStream<IN> in,
            AsyncBatchFunction<IN, OUT> func,
            long timeout,
            TimeUnit timeUnit,
            int batchSize,
            long batchTimeout,
            int capacity,
            AsyncRetryStrategy<OUT> asyncRetryStrategy) {
        return orderedWaitBatchWithRetry(
                in,
                func,
                options(timeout, timeUnit, batchSize, batchTimeout, capacity),
                asyncRetryStrategy);
    }

    /**
     * Results leave in the order of the inputs. Calls are repeated as the strategy says, and keep
     * their place and their slot meanwhile.
     *
     * @param asyncRetryStrategy its predicates see all results of a batch, or what its call failed
     *     with; they are called by the task's thread
     */
    public static <IN, OUT> SingleOutputStreamOperator<OUT> orderedWaitBatchWithRetry(
            DataStream<IN> in,
            AsyncBatchFunction<IN, OUT> func,
            AsyncBatchOptions options,
            AsyncRetryStrategy<OUT> asyncRetryStrategy) {
        return orderedWaitBatchWithRetry(in, func, options, asyncRetryStrategy, RowGrouping.none());
    }

    /**
     * Results leave in the order of the inputs.
     *
     * @param grouping which rows share a batch by what is in them; functions that do not serialize
     *     are refused as {@code func} is
     */
    public static <IN, OUT> SingleOutputStreamOperator<OUT> orderedWaitBatch(
            DataStream<IN> in,
            AsyncBatchFunction<IN, OUT> func,
            AsyncBatchOptions options,
            RowGrouping<IN> grouping) {
        return orderedWaitBatchWithRetry(in, func, options, noRetry(), grouping);
    }

    /**
     * Results leave in the order of the inputs. Calls are repeated as the strategy says, and keep
     * their place and their slot meanwhile.
     *
     * @param asyncRetryStrategy its predicates see all results of a batch, or what its call failed
     *     with; they are called by the task's thread
     * @param grouping which rows share a batch by what is in them; functions that do not serialize
     *     are refused as {@code func} is
     */
    public static <IN, OUT> SingleOutputStreamOperator<OUT> orderedWaitBatchWithRetry(
            DataStream<IN> in,
            AsyncBatchFunction<IN, OUT> func,
            AsyncBatchOptions options,
            AsyncRetryStrategy<OUT> asyncRetryStrategy,
            RowGrouping<IN> grouping) {
        return JavaAsyncBatchTransformation.add(
                in, func, options, asyncRetryStrategy, grouping, BatchSettings.OutputMode.ORDERED);
    }

    // ----------------------------------------------------------------- options

    private static AsyncBatchOptions.Builder options(
            long timeout, TimeUnit timeUnit, int batchSize) {
        Objects.requireNonNull(timeUnit, "timeUnit");
        return AsyncBatchOptions.builder(
                batchSize, DurationOption.of("timeout", timeout, timeUnit));
    }

    private static AsyncBatchOptions options(
            long timeout, TimeUnit timeUnit, int batchSize, long batchTimeout, int capacity) {
        return options(timeout, timeUnit, batchSize)
                .batchTimeout(DurationOption.of("batchTimeout", batchTimeout, timeUnit))
                .capacity(capacity)
                .build();
    }

    @SuppressWarnings("unchecked")
    private static <OUT> AsyncRetryStrategy<OUT> noRetry() {
        return AsyncRetryStrategies.NO_RETRY_STRATEGY;
    }
}
