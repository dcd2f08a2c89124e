package io.asyncbatch.flink;

import java.io.Serializable;
import java.util.List;
import java.util.concurrent.TimeoutException;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.functions.Function;
import org.apache.flink.streaming.api.functions.async.ResultFuture;

/**
 * A function that computes the results of a batch of inputs asynchronously, such as one call of a
 * model. The counterpart of Flink's {@link
 * org.apache.flink.streaming.api.functions.async.AsyncFunction AsyncFunction}, for batches.
 *
 * <p>Exactly one result belongs to each input, in the order of the inputs; each leaves with the
 * timestamp of its input. The first outcome of a call counts: what a {@link ResultFuture} is told
 * after that is ignored, as is what it is told after the batch's deadline. Results are copied when
 * they are given, so the collection may be reused.
 *
 * <p>All methods are called by the task's thread and must not block it. A {@link ResultFuture} may
 * be completed by any thread, also before the method returns.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@PublicEvolving
@FunctionalInterface
public interface AsyncBatchFunction<IN, OUT> extends Function, Serializable {

    /**
     * Starts to compute a batch.
     *
     * <p>A retry strategy may have the call repeated, with the same inputs. Without one, or when it
     * gives up, a failure fails the task, and Flink's restart strategy takes over.
     *
     * <p>With {@link AsyncBatchOptions.Builder#hedging hedging} a second call may begin while the
     * first one goes on, with the very same list of the same objects. So the function must not
     * change its inputs: not the list, which refuses it, nor the objects in it, from any thread.
     * The same holds without hedging, as a call that is repeated gets these objects too, and a
     * checkpoint holds them as they are.
     *
     * @param inputs the batch, never empty; nobody changes it, it cannot be changed, and it may be
     *     kept
     * @param resultFuture takes one result for each input; another number, or null, fails the task
     *     with an error that names the batch's size
     * @throws Exception is the outcome of the call, as if given to {@code resultFuture}
     */
    void asyncInvokeBatch(List<IN> inputs, ResultFuture<OUT> resultFuture) throws Exception;

    /**
     * Supplies results for a batch that passed its deadline. What the call itself yields later is
     * dropped; it is up to the function to cancel it here. By default fails the task with a {@link
     * TimeoutException}.
     *
     * @param inputs the batch, as it was given to {@link #asyncInvokeBatch}
     * @param resultFuture takes one result for each input, within 30 seconds
     * @throws Exception fails the task; a timeout is not retried
     */
    default void timeoutBatch(List<IN> inputs, ResultFuture<OUT> resultFuture) throws Exception {
        resultFuture.completeExceptionally(
                new TimeoutException("Async batch function call has timed out."));
    }
}
