package io.asyncbatch.flink.operator.inflight;

import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.metrics.BatchMetrics;
import io.asyncbatch.flink.operator.BatchSettings;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeoutException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.util.ExceptionUtils;
import org.apache.flink.util.function.ThrowingRunnable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives slots to closed batches, first come first served, and follows each invocation to its
 * outcome. Owned by the mailbox thread: what an invoker reports from another thread becomes a mail
 * first.
 *
 * <p>A batch without a slot waits here rather than in its caller, so that a flush timer that fires
 * while all slots are taken has nothing to wait for. The operator holds its input back while {@link
 * #hasWaiting}; see {@link InputHold}.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class BatchDispatcher<IN, OUT> {

    /**
     * How long a timeout handler may take after the deadline. It only has to substitute results, so
     * when nothing comes for this long the invoker is stuck, and failing the task is the only thing
     * that keeps the job from hanging.
     */
    public static final long TIMEOUT_ANSWER_GRACE_MILLIS = 30_000;

    private static final Logger LOG = LoggerFactory.getLogger(BatchDispatcher.class);

    private final BatchSettings settings;
    private final BatchInvoker<IN, OUT> invoker;
    private final ProcessingTimeService timeService;
    private final MailboxExecutor mailbox;
    private final BatchMetrics metrics;
    private final BatchListener<IN, OUT> listener;

    private final Queue<Batch<IN, OUT>> waiting = new ArrayDeque<>();
    private final Set<Batch<IN, OUT>> invoked = new HashSet<>();

    /** Read by metric reporters too. */
    private volatile int slotsTaken;

    private long lastBatchId;
    private boolean closed;

    public BatchDispatcher(
            BatchSettings settings,
            BatchInvoker<IN, OUT> invoker,
            ProcessingTimeService timeService,
            MailboxExecutor mailbox,
            BatchMetrics metrics,
            BatchListener<IN, OUT> listener) {
        this.settings = settings;
        this.invoker = invoker;
        this.timeService = timeService;
        this.mailbox = mailbox;
        this.metrics = metrics;
        this.listener = listener;
    }

    /** Dispatches the batch as soon as it has a slot, which may be now. Never waits. */
    public void submit(Batch<IN, OUT> batch) throws Exception {
        waiting.add(batch);
        dispatchWaiting();
    }

    /** Whether there are batches without a slot. */
    public boolean hasWaiting() {
        return !waiting.isEmpty();
    }

    /** Whether a batch that is submitted now is dispatched at once. */
    public boolean hasFreeSlot() {
        return waiting.isEmpty() && slotsTaken < settings.capacity();
    }

    /** Batches that are invoked or await emission. */
    public int slotsTaken() {
        return slotsTaken;
    }

    /** The last result of the batch left. Frees its slot, for the batch that waits longest. */
    public void release(Batch<IN, OUT> batch) throws Exception {
        if (batch.holdsSlot()) {
            slotsTaken--;
            dispatchWaiting();
            if (hasFreeSlot()) {
                listener.onSlotFree();
            }
        }
    }

    /** Cancels all timers. Whatever is reported from now on is ignored. */
    public void close() {
        closed = true;
        invoked.forEach(Batch::cancelTimer);
        invoked.clear();
        waiting.clear();
    }

    private void dispatchWaiting() throws Exception {
        while (slotsTaken < settings.capacity() && !waiting.isEmpty()) {
            dispatch(waiting.poll());
        }
    }

    private void dispatch(Batch<IN, OUT> batch) throws Exception {
        slotsTaken++;
        invoked.add(batch);
        BatchRequest<IN> request = batch.dispatch(++lastBatchId, nanoTime());
        batch.setTimer(
                timeService.registerTimer(
                        timeService.getCurrentProcessingTime() + settings.timeoutMillis(),
                        firedAt -> onDeadline(batch, request)));
        CompletionStage<BatchOutcome<OUT>> stage;
        try {
            stage = invoker.invoke(request);
        } catch (Exception invokerFailure) {
            fail(request, invokerFailure);
            return;
        }
        stage.whenComplete(
                (outcome, failure) ->
                        inMailbox(
                                () -> onInvocation(batch, request, outcome, failure),
                                "result of batch %s",
                                request.batchId()));
    }

    private void onInvocation(
            Batch<IN, OUT> batch,
            BatchRequest<IN> request,
            BatchOutcome<OUT> outcome,
            Throwable failure)
            throws Exception {
        if (closed) {
            return;
        }
        if (!batch.acceptsInvocation()) {
            metrics.lateResultDropped();
            return;
        }
        metrics.callEnded(nanoTime() - batch.dispatchedNanos());
        settle(batch, request, outcome, failure);
    }

    private void onDeadline(Batch<IN, OUT> batch, BatchRequest<IN> request) throws Exception {
        if (closed || !batch.passDeadline()) {
            return;
        }
        metrics.batchTimedOut();
        batch.setTimer(
                timeService.registerTimer(
                        timeService.getCurrentProcessingTime() + TIMEOUT_ANSWER_GRACE_MILLIS,
                        firedAt -> onGraceExpired(batch, request)));
        CompletionStage<BatchOutcome<OUT>> stage;
        try {
            stage = invoker.timeout(request);
        } catch (Exception invokerFailure) {
            fail(request, invokerFailure);
            return;
        }
        stage.whenComplete(
                (outcome, failure) ->
                        inMailbox(
                                () -> onTimeoutAnswer(batch, request, outcome, failure),
                                "timeout answer of batch %s",
                                request.batchId()));
    }

    private void onTimeoutAnswer(
            Batch<IN, OUT> batch,
            BatchRequest<IN> request,
            BatchOutcome<OUT> outcome,
            Throwable failure)
            throws Exception {
        if (!closed && batch.acceptsTimeoutAnswer()) {
            settle(batch, request, outcome, failure);
        }
    }

    private void onGraceExpired(Batch<IN, OUT> batch, BatchRequest<IN> request) throws Exception {
        if (!closed && batch.acceptsTimeoutAnswer()) {
            fail(
                    request,
                    new TimeoutException(
                            "it passed its timeout of "
                                    + settings.timeoutMillis()
                                    + " ms and its timeout handler did not answer within "
                                    + TIMEOUT_ANSWER_GRACE_MILLIS
                                    + " ms"));
        }
    }

    /** Ends the batch with what the call that it waited for reported. */
    private void settle(
            Batch<IN, OUT> batch,
            BatchRequest<IN> request,
            BatchOutcome<OUT> outcome,
            Throwable failure)
            throws Exception {
        if (failure != null) {
            fail(request, ExceptionUtils.stripCompletionException(failure));
        } else if (outcome instanceof BatchOutcome.Success<OUT> success) {
            complete(batch, request, success.results());
        } else if (outcome instanceof BatchOutcome.Failure<OUT> reported) {
            metrics.callFailed();
            fail(request, reported.cause());
        } else {
            fail(request, new IllegalStateException("the invoker reported no outcome"));
        }
    }

    private void complete(Batch<IN, OUT> batch, BatchRequest<IN> request, List<OUT> results)
            throws Exception {
        int expected = request.inputs().size();
        if (results == null) {
            metrics.callFailed();
            fail(
                    request,
                    new IllegalStateException(
                            "the result of a batch should be of list type with one element for"
                                    + " each of its "
                                    + expected
                                    + " inputs, and cannot be none"));
        } else if (results.size() != expected) {
            metrics.callFailed();
            fail(
                    request,
                    new IllegalStateException(
                            "the result of a batch should be of list type with one element for"
                                    + " each of its "
                                    + expected
                                    + " inputs, but it has "
                                    + results.size()));
        } else {
            batch.complete(results);
            invoked.remove(batch);
            metrics.batchDone(expected);
            listener.onDone(batch);
        }
    }

    private void fail(BatchRequest<IN> request, Throwable cause) throws Exception {
        listener.onFailure(
                new BatchFailedException(request.batchId(), request.inputs().size(), cause));
    }

    /** Called by any thread. */
    private void inMailbox(ThrowingRunnable<Exception> mail, String what, long batchId) {
        try {
            mailbox.execute(mail, what, batchId);
        } catch (RejectedExecutionException mailboxClosed) {
            // The task ended. Its rows are in the last checkpoint and will be invoked again
            // (FLINK-24846: throwing here would end up in the invoker's thread).
            LOG.debug("Ignored a report about batch {}: the task ended", batchId);
        }
    }

    private long nanoTime() {
        return timeService.getClock().relativeTimeNanos();
    }
}
