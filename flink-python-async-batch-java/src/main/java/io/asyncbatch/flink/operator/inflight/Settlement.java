package io.asyncbatch.flink.operator.inflight;

import io.asyncbatch.flink.FailureKind;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.RowFailure;
import io.asyncbatch.flink.metrics.BatchMetrics;
import io.asyncbatch.flink.operator.FailureHandling;
import io.asyncbatch.flink.operator.FailureHandling.Verdict;
import io.asyncbatch.flink.operator.state.FailedRow;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.annotation.Nullable;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.util.ExceptionUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Turns what a call reported into outcomes of its rows: results, rows that are given up, rows that
 * are called for in halves, or the end of the task. Owned by the mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
final class Settlement<IN, OUT> {

    private static final Logger LOG = LoggerFactory.getLogger(Settlement.class);

    private final FailureHandling failureHandling;
    private final ProcessingTimeService timeService;
    private final BatchMetrics metrics;
    private final BatchListener<IN, OUT> listener;

    Settlement(
            FailureHandling failureHandling,
            ProcessingTimeService timeService,
            BatchMetrics metrics,
            BatchListener<IN, OUT> listener) {
        this.failureHandling = failureHandling;
        this.timeService = timeService;
        this.metrics = metrics;
        this.listener = listener;
    }

    /**
     * Takes what a call reported, for all its rows without an outcome.
     *
     * @param exceptionKind what an exception of that call counts as
     * @return false if that ends the task
     */
    boolean settle(
            Batch<IN, OUT> batch,
            BatchRequest<IN> request,
            FailureKind exceptionKind,
            BatchOutcome<OUT> outcome,
            Throwable failure)
            throws Exception {
        if (failure != null) {
            return broken(batch, request, ExceptionUtils.stripCompletionException(failure));
        } else if (outcome instanceof BatchOutcome.Success<OUT> success) {
            return succeeded(batch, request, success);
        } else if (outcome instanceof BatchOutcome.TooLarge<OUT> tooLarge) {
            return failed(batch, request, FailureKind.TOO_LARGE, tooLarge.cause());
        } else if (outcome instanceof BatchOutcome.Failure<OUT> reported) {
            return failed(
                    batch,
                    request,
                    reported.invalidResult() ? FailureKind.INVALID_RESULT : exceptionKind,
                    reported.cause());
        }
        return broken(batch, request, new IllegalStateException("the invoker reported no outcome"));
    }

    /** The call returned: its results and failures are those of the rows it did not give early. */
    private boolean succeeded(
            Batch<IN, OUT> batch, BatchRequest<IN> request, BatchOutcome.Success<OUT> success)
            throws Exception {
        List<OUT> results = success.results();
        int expected = batch.calls().unsettledCount();
        if (results == null || results.size() != expected) {
            return failed(batch, request, FailureKind.INVALID_RESULT, misfit(results, expected));
        }
        if (success.failures().isEmpty()) {
            batch.settle(results);
        } else if (!settleRows(
                batch, request, batch.calls().unsettledIndexes(), results, success.failures())) {
            return false;
        }
        if (request.attempt() == 1 && request.inputs().size() == batch.size()) {
            listener.onSuccess(batch.size(), batch.bytes());
        }
        return true;
    }

    private static IllegalStateException misfit(@Nullable List<?> results, int expected) {
        return new IllegalStateException(
                "the result of a batch should be of list type with one element for each of its "
                        + expected
                        + " inputs, "
                        + (results == null
                                ? "and cannot be none"
                                : "but it has " + results.size()));
    }

    /**
     * Takes the outcome of rows of a call.
     *
     * @param rows indexes in the call's inputs
     * @param results as many, in the same order
     * @return false if that ends the task
     */
    boolean settleRows(
            Batch<IN, OUT> batch,
            BatchRequest<IN> request,
            int[] rows,
            List<OUT> results,
            List<RowFailure> failures)
            throws Exception {
        if (!failures.isEmpty()
                && failureHandling.judge(FailureKind.ROW_FAILURE, 1) == Verdict.FAIL_TASK) {
            return failTask(batch, request, FailureKind.ROW_FAILURE, failures.get(0).cause());
        }
        Map<Integer, Throwable> failureOf = new HashMap<>();
        failures.forEach(failure -> failureOf.put(failure.row(), failure.cause()));
        for (int i = 0; i < rows.length; i++) {
            int row = rows[i];
            if (!batch.calls().isUnsettled(row)) {
                return failTask(batch, request, FailureKind.INVALID_RESULT, foreign(row, request));
            }
            Throwable cause = failureOf.get(row);
            if (cause == null) {
                batch.settle(row, results.get(i));
            } else {
                batch.fail(row, failedRow(FailureKind.ROW_FAILURE, cause, request));
            }
        }
        metrics.rowsFailed(FailureKind.ROW_FAILURE, failures.size());
        return true;
    }

    private static IllegalStateException foreign(int row, BatchRequest<?> request) {
        return new IllegalStateException(
                "there is a result for index "
                        + row
                        + ", which is that of no input that still waits for one;"
                        + " indexes go from 0 to "
                        + (request.inputs().size() - 1));
    }

    /**
     * Takes a call's failure for all rows that it gave no outcome for.
     *
     * @return false if that ends the task
     */
    boolean failed(
            Batch<IN, OUT> batch, BatchRequest<IN> request, FailureKind kind, Throwable cause)
            throws Exception {
        int rows = batch.calls().unsettledCount();
        if (kind == FailureKind.TOO_LARGE) {
            listener.onTooLarge(rows, batch.bytes() * rows / batch.size());
        }
        // What the timeout handler answered for all rows it would answer for half of them too.
        switch (failureHandling.judge(kind, batch.isTimingOut() ? 1 : rows)) {
            case SPLIT -> {
                LOG.debug(
                        "Batch {} of {} rows is called for in halves",
                        request.batchId(),
                        rows,
                        cause);
                metrics.batchSplit();
                batch.calls().split();
                return true;
            }
            case GIVE_UP_ROWS -> {
                LOG.debug("Gave up {} rows of batch {}", rows, request.batchId(), cause);
                metrics.callFailed();
                metrics.rowsFailed(kind, rows);
                batch.failCall(failedRow(kind, cause, request));
                return true;
            }
            default -> {
                return failTask(batch, request, kind, cause);
            }
        }
    }

    /**
     * A call is not made, as the circuit breaker is open.
     *
     * @param failsTask whether that ends the task, whatever becomes of calls that fail
     * @return false if that ends the task
     */
    boolean refused(
            Batch<IN, OUT> batch, BatchRequest<IN> request, Exception cause, boolean failsTask)
            throws Exception {
        if (failsTask) {
            return failTask(batch, request, FailureKind.CIRCUIT_OPEN, cause);
        }
        metrics.rowsFailed(FailureKind.CIRCUIT_OPEN, batch.calls().unsettledCount());
        batch.failCall(failedRow(FailureKind.CIRCUIT_OPEN, cause, request));
        return true;
    }

    /**
     * What runs the function is broken.
     *
     * @return false, as that ends the task
     */
    boolean broken(Batch<IN, OUT> batch, BatchRequest<IN> request, Throwable cause)
            throws Exception {
        return failTask(batch, request, FailureKind.INVOKER, cause);
    }

    private boolean failTask(
            Batch<IN, OUT> batch, BatchRequest<IN> request, FailureKind kind, Throwable cause)
            throws Exception {
        batch.trace().failed();
        metrics.batchFailed(kind);
        listener.onFailure(
                new BatchFailedException(request.batchId(), request.inputs().size(), cause));
        return false;
    }

    private FailedRow failedRow(FailureKind kind, Throwable cause, BatchRequest<IN> request) {
        int calls = kind == FailureKind.CIRCUIT_OPEN ? request.attempt() - 1 : request.attempt();
        return FailedRow.of(kind, cause, calls, timeService.getCurrentProcessingTime());
    }
}
