package io.asyncbatch.flink.operator.inflight;

import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.RowFailure;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.RejectedExecutionException;
import javax.annotation.Nullable;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.util.clock.Clock;
import org.apache.flink.util.function.ThrowingRunnable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Calls the invoker and makes a mail of whatever it reports, from whichever thread. Owned by the
 * mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
final class InvokerCalls<IN, OUT> {

    /** What the invoker reports, in the mailbox thread. */
    interface Reports<IN, OUT> {

        /**
         * @param reportedNanos when it did, by the monotonic clock: the mailbox thread may have
         *     been held up since
         */
        void onInvocation(
                Batch<IN, OUT> batch,
                BatchRequest<IN> request,
                @Nullable BatchOutcome<OUT> outcome,
                @Nullable Throwable failure,
                long reportedNanos)
                throws Exception;

        void onEarlyRows(
                Batch<IN, OUT> batch,
                BatchRequest<IN> request,
                int[] rows,
                List<OUT> results,
                List<RowFailure> failures)
                throws Exception;

        void onTimeoutAnswer(
                Batch<IN, OUT> batch,
                BatchRequest<IN> request,
                @Nullable BatchOutcome<OUT> outcome,
                @Nullable Throwable failure)
                throws Exception;

        void onWorkerReady() throws Exception;
    }

    private static final Logger LOG = LoggerFactory.getLogger(InvokerCalls.class);

    private final BatchInvoker<IN, OUT> invoker;
    private final MailboxExecutor mailbox;
    private final Reports<IN, OUT> reports;
    private final Clock clock;

    InvokerCalls(
            BatchInvoker<IN, OUT> invoker,
            MailboxExecutor mailbox,
            Reports<IN, OUT> reports,
            Clock clock) {
        this.clock = clock;
        this.invoker = invoker;
        this.mailbox = mailbox;
        this.reports = reports;
    }

    /**
     * @throws RuntimeException if the invoker is broken
     */
    void invoke(Batch<IN, OUT> batch, BatchRequest<IN> request) {
        CompletionStage<BatchOutcome<OUT>> stage =
                invoker.invoke(
                        request,
                        (rows, results, failures) ->
                                mail(
                                        () ->
                                                reports.onEarlyRows(
                                                        batch, request, rows, results, failures),
                                        "early rows of batch %s",
                                        request.batchId()));
        stage.whenComplete(
                (outcome, failure) -> {
                    long reportedNanos = clock.relativeTimeNanos();
                    mail(
                            () ->
                                    reports.onInvocation(
                                            batch, request, outcome, failure, reportedNanos),
                            "result of batch %s",
                            request.batchId());
                });
    }

    /**
     * @throws RuntimeException if the invoker is broken
     */
    void askTimeoutHandler(Batch<IN, OUT> batch, BatchRequest<IN> request) {
        invoker.timeout(request)
                .whenComplete(
                        (outcome, failure) ->
                                mail(
                                        () ->
                                                reports.onTimeoutAnswer(
                                                        batch, request, outcome, failure),
                                        "timeout answer of batch %s",
                                        request.batchId()));
    }

    /** What the call yields is not waited for any more. */
    void cancel(BatchRequest<IN> request) {
        invoker.cancel(request.batchId(), request.attempt());
    }

    /** Asks to be told, after a worker was lost, when there is one. */
    void awaitWorker() {
        invoker.ready().thenRun(() -> mail(reports::onWorkerReady, "worker is ready"));
    }

    /**
     * @param why what the worker was asked for in vain
     * @return false if it cannot be replaced
     */
    boolean replaceWorker(String why) {
        return invoker.replace(why);
    }

    private void mail(ThrowingRunnable<Exception> mail, String what, Object... details) {
        try {
            mailbox.execute(mail, what, details);
        } catch (RejectedExecutionException mailboxClosed) {
            // The task ended. Its rows are in the last checkpoint and will be invoked again
            // (FLINK-24846: throwing here would end up in the invoker's thread).
            LOG.debug("Ignored a report: the task ended");
        }
    }
}
