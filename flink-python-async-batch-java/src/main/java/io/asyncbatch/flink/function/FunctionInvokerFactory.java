package io.asyncbatch.flink.function;

import io.asyncbatch.flink.AsyncBatchFunction;
import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchInvokerFactory;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.functions.async.AsyncRetryStrategy;

/**
 * Creates the invoker that calls a Java function. Immutable; travels with the job graph.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class FunctionInvokerFactory<IN, OUT> implements BatchInvokerFactory<IN, OUT> {

    private static final long serialVersionUID = 1L;

    private final AsyncBatchFunction<IN, OUT> function;
    @Nullable private final AsyncRetryStrategy<OUT> retryStrategy;

    /**
     * @param retryStrategy when to repeat calls, or null for never
     */
    public FunctionInvokerFactory(
            AsyncBatchFunction<IN, OUT> function, @Nullable AsyncRetryStrategy<OUT> retryStrategy) {
        this.function = function;
        this.retryStrategy = retryStrategy;
    }

    @Override
    public BatchInvoker<IN, OUT> createInvoker() {
        return new FunctionInvoker<>(
                function, retryStrategy == null ? null : new RetryDecision<>(retryStrategy));
    }
}
