package io.asyncbatch.flink.operator.inflight;

import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.metrics.BatchMetrics;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeoutException;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.util.function.ThrowingRunnable;

/**
 * The deadlines of batches, and the timeout handler that is asked once one has passed. Owned by the
 * mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class Deadlines<IN, OUT> {

    /** Follows batches from call to call. */
    interface Owner<IN, OUT> {

        /**
         * Has the batch time out.
         *
         * @return what the timeout handler is to be asked for; null if the outcome of all rows was
         *     faster
         */
        @Nullable
        BatchRequest<IN> passDeadline(Batch<IN, OUT> batch);

        /** The calls of the batch are not waited for any more. */
        void giveUpCalls(Batch<IN, OUT> batch);

        /** What the timeout handler reports; a failure where it has had its time. */
        void onTimeoutAnswer(
                Batch<IN, OUT> batch,
                BatchRequest<IN> request,
                @Nullable BatchOutcome<OUT> outcome,
                @Nullable Throwable failure)
                throws Exception;

        /** Makes the calls that may be made now. */
        void makeCalls() throws Exception;
    }

    /**
     * How long a timeout handler may take after the deadline. It only has to substitute results, so
     * when nothing comes for this long the invoker is stuck, and failing the task is the only thing
     * that keeps the job from hanging.
     */
    public static final long TIMEOUT_ANSWER_GRACE_MILLIS = 30_000;

    private final long timeoutMillis;
    private final InvokerCalls<IN, OUT> calls;
    private final Settlement<IN, OUT> settlement;
    private final ProcessingTimeService timeService;
    private final BatchMetrics metrics;
    private final Owner<IN, OUT> owner;
    private boolean closed;

    Deadlines(
            long timeoutMillis,
            InvokerCalls<IN, OUT> calls,
            Settlement<IN, OUT> settlement,
            ProcessingTimeService timeService,
            BatchMetrics metrics,
            Owner<IN, OUT> owner) {
        this.timeoutMillis = timeoutMillis;
        this.calls = calls;
        this.settlement = settlement;
        this.timeService = timeService;
        this.metrics = metrics;
        this.owner = owner;
    }

    /** The batch has all of its time from now on, whatever it had before. */
    void start(Batch<IN, OUT> batch) {
        batch.setDeadlineTimer(timerIn(timeoutMillis, () -> onDeadline(batch)));
    }

    private void onDeadline(Batch<IN, OUT> batch) throws Exception {
        BatchRequest<IN> request = closed ? null : owner.passDeadline(batch);
        if (request == null) {
            return;
        }
        metrics.batchTimedOut();
        owner.giveUpCalls(batch);
        askTimeoutHandler(batch, request);
        owner.makeCalls();
    }

    /** Asks for the rows of a batch whose deadline has passed. */
    void askTimeoutHandler(Batch<IN, OUT> batch, BatchRequest<IN> request) throws Exception {
        batch.setDeadlineTimer(
                timerIn(TIMEOUT_ANSWER_GRACE_MILLIS, () -> onGraceExpired(batch, request)));
        batch.trace().timeoutHandlerAsked(request.inputs().size());
        try {
            calls.askTimeoutHandler(batch, request);
        } catch (Exception invokerFailure) {
            settlement.broken(batch, request, invokerFailure);
        }
    }

    private void onGraceExpired(Batch<IN, OUT> batch, BatchRequest<IN> request) throws Exception {
        if (closed || !batch.acceptsTimeoutAnswer(request)) {
            return;
        }
        String noAnswer =
                "it passed its timeout of "
                        + timeoutMillis
                        + " ms and its timeout handler did not answer within "
                        + TIMEOUT_ANSWER_GRACE_MILLIS
                        + " ms";
        if (!calls.replaceWorker("of batch " + request.batchId() + ", " + noAnswer)) {
            owner.onTimeoutAnswer(
                    batch, request, BatchOutcome.failure(new TimeoutException(noAnswer)), null);
        }
    }

    private ScheduledFuture<?> timerIn(long delayMillis, ThrowingRunnable<Exception> action) {
        return timeService.registerTimer(
                timeService.getCurrentProcessingTime() + delayMillis, firedAt -> action.run());
    }

    /** Whatever timer fires from now on does nothing. */
    void close() {
        closed = true;
    }
}
