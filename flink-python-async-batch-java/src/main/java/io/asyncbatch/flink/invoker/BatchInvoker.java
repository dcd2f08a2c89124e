package io.asyncbatch.flink.invoker;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.apache.flink.annotation.Internal;

/**
 * The seam between the operator, which owns batching, deadlines, ordering and state, and whatever
 * computes a batch: a Python worker, a Java function.
 *
 * <p>All methods are called by the task's mailbox thread. {@link #open} may block until the other
 * side is ready; {@link #invoke} and {@link #timeout} never block. The returned stages may be
 * completed by any thread, also before the method returns.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public interface BatchInvoker<IN, OUT> extends AutoCloseable {

    /**
     * Starts whatever computes batches and waits until it can take the first one.
     *
     * @throws Exception if it cannot be started; {@link #close} is still called
     */
    void open(InvokerContext context) throws Exception;

    /**
     * Hands a batch over. The stage completes with a {@link BatchOutcome}; completing it
     * exceptionally means that the invoker itself is broken, and fails the task.
     *
     * @param early takes rows whose outcome is known before that of the batch
     */
    CompletionStage<BatchOutcome<OUT>> invoke(BatchRequest<IN> request, EarlyRows<OUT> early);

    /**
     * Cancels the request's running invocation, if there is one, and asks for substitute results.
     * The stage that {@link #invoke} returned for it may or may not complete; what it yields is no
     * longer used.
     *
     * @param request the inputs that have no outcome yet, under the id and attempt of the
     *     invocation
     */
    CompletionStage<BatchOutcome<OUT>> timeout(BatchRequest<IN> request);

    /**
     * Cancels an invocation, where that can be done: nobody waits for it any more. The stage that
     * {@link #invoke} returned for it may or may not complete. Does nothing if it has ended.
     *
     * @param batchId of its request
     * @param attempt of its request
     */
    default void cancel(long batchId, int attempt) {}

    /**
     * Asked after a {@link BatchOutcome.WorkerLost}: completed, by any thread, when batches may be
     * handed over again. Stays incomplete where that will not come; the invoker then fails the
     * task.
     */
    default CompletionStage<Void> ready() {
        return CompletableFuture.completedFuture(null);
    }

    /**
     * Replaces whatever computes batches, because it no longer answers. All that is under way in it
     * is then reported as {@link BatchOutcome.WorkerLost}.
     *
     * @param why what it was asked for in vain
     * @return false if it cannot be replaced; then nothing has happened
     */
    default boolean replace(String why) {
        return false;
    }

    /**
     * Ends everything that {@link #open} started and waits for it, within seconds. Idempotent, and
     * safe after a failed or interrupted {@link #open}.
     */
    @Override
    void close() throws Exception;
}
