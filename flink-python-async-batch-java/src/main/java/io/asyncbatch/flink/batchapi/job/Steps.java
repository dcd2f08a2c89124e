package io.asyncbatch.flink.batchapi.job;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Supplier;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.util.function.ThrowingConsumer;
import org.apache.flink.util.function.ThrowingRunnable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has what ends in other threads go on in the mailbox thread, until it is closed. Owned by the
 * mailbox thread.
 */
final class Steps {

    private static final Logger LOG = LoggerFactory.getLogger(Steps.class);

    private final ProcessingTimeService timeService;
    private final MailboxExecutor mailbox;
    private boolean closed;

    Steps(ProcessingTimeService timeService, MailboxExecutor mailbox) {
        this.timeService = timeService;
        this.mailbox = mailbox;
    }

    /**
     * @param then in the mailbox thread, if the call succeeded
     * @param otherwise in the mailbox thread, if it did not
     */
    <T> void run(
            Supplier<CompletableFuture<T>> call,
            ThrowingConsumer<T, Exception> then,
            ThrowingConsumer<Throwable, Exception> otherwise) {
        CompletableFuture<T> result;
        try {
            result = call.get();
        } catch (RuntimeException e) {
            result = CompletableFuture.failedFuture(e);
        }
        result.whenComplete(
                (value, failure) ->
                        mail(
                                () -> {
                                    if (failure == null) {
                                        then.accept(value);
                                    } else {
                                        otherwise.accept(causeOf(failure));
                                    }
                                }));
    }

    void after(long millis, ThrowingRunnable<Exception> action) {
        timeService.registerTimer(
                timeService.getCurrentProcessingTime() + millis,
                firedAt -> runUnlessClosed(action));
    }

    /** Of a monotonic clock. */
    long nanos() {
        return timeService.getClock().relativeTimeNanos();
    }

    /** What comes back from now on is ignored. */
    void close() {
        closed = true;
    }

    private void mail(ThrowingRunnable<Exception> action) {
        try {
            mailbox.execute(() -> runUnlessClosed(action), "step of a batch job");
        } catch (RejectedExecutionException mailboxClosed) {
            LOG.debug("Ignored an answer of the Batch API: the task ended");
        }
    }

    private void runUnlessClosed(ThrowingRunnable<Exception> action) throws Exception {
        if (!closed) {
            action.run();
        }
    }

    private static Throwable causeOf(Throwable failure) {
        Throwable cause = failure;
        while (cause instanceof CompletionException && cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause;
    }
}
