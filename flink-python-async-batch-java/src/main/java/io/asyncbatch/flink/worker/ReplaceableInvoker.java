package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.invoker.BatchInvoker;

/**
 * An invoker whose worker is gone once it has called {@link
 * io.asyncbatch.flink.invoker.InvokerContext#failTask}, and that another one can stand in for. Once
 * it is closed, all stages that it returned have completed.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
interface ReplaceableInvoker<IN, OUT> extends BatchInvoker<IN, OUT> {

    /**
     * Ends the worker by force, which then counts as its death. Any thread may call, after {@link
     * #open}; does nothing if it has ended.
     *
     * @param why what the error that tells of its death says
     */
    void kill(String why);
}
