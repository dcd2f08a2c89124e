package io.asyncbatch.flink.function;

import io.asyncbatch.flink.AsyncBatchFunction;
import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.EarlyRows;
import io.asyncbatch.flink.invoker.InvokerContext;
import java.util.concurrent.CompletionStage;
import java.util.function.UnaryOperator;
import javax.annotation.Nullable;
import org.apache.flink.api.common.functions.DefaultOpenContext;
import org.apache.flink.api.common.functions.util.FunctionUtils;

/**
 * Calls a Java function, in the mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
final class FunctionInvoker<IN, OUT> implements BatchInvoker<IN, OUT> {

    private final AsyncBatchFunction<IN, OUT> function;
    @Nullable private final RetryDecision<OUT> retryDecision;
    private boolean opened;

    FunctionInvoker(
            AsyncBatchFunction<IN, OUT> function, @Nullable RetryDecision<OUT> retryDecision) {
        this.function = function;
        this.retryDecision = retryDecision;
    }

    @Override
    public void open(InvokerContext context) throws Exception {
        FunctionUtils.setFunctionRuntimeContext(function, context.runtimeContext());
        opened = true;
        FunctionUtils.openFunction(function, DefaultOpenContext.INSTANCE);
    }

    @Override
    public CompletionStage<BatchOutcome<OUT>> invoke(
            BatchRequest<IN> request, EarlyRows<OUT> early) {
        UnaryOperator<BatchOutcome<OUT>> finish =
                retryDecision == null
                        ? UnaryOperator.identity()
                        : outcome -> retryDecision.inMailbox(outcome, request.attempt());
        BatchResultFuture<OUT> future = new BatchResultFuture<>(function.getClass(), finish);
        try {
            function.asyncInvokeBatch(request.inputs(), future);
        } catch (Exception e) {
            future.thrown(e);
        }
        return future.outcome();
    }

    @Override
    public CompletionStage<BatchOutcome<OUT>> timeout(BatchRequest<IN> request) {
        BatchResultFuture<OUT> future =
                new BatchResultFuture<>(function.getClass(), UnaryOperator.identity());
        try {
            function.timeoutBatch(request.inputs(), future);
        } catch (Exception e) {
            future.thrown(e);
        }
        return future.outcome();
    }

    @Override
    public void close() throws Exception {
        if (opened) {
            opened = false;
            FunctionUtils.closeFunction(function);
        }
    }
}
