package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.EarlyRows;
import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import io.asyncbatch.flink.proto.RowFailure;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import javax.annotation.Nullable;

/**
 * The batches that Python has and what its answers to them mean, whichever way both travel.
 *
 * <p>The mailbox thread adds; one other thread answers. Whichever thread sees that no answer will
 * come any more fails what is left.
 */
final class AwaitedBatches<OUT> {

    private final String functionName;
    private final Map<Key, AwaitedBatch<OUT>> awaited = new ConcurrentHashMap<>();
    @Nullable private volatile Throwable broken;

    /** What a batch is known by: one may await an answer to each kind of request. */
    private record Key(long batchId, int attempt, FrameKind answers) {}

    AwaitedBatches(String functionName) {
        this.functionName = functionName;
    }

    /** Batches that await an answer. */
    int count() {
        return awaited.size();
    }

    /** What a request to Python says about a batch. */
    static FrameHeader header(FrameKind kind, BatchRequest<?> request) {
        return FrameHeader.newBuilder()
                .setKind(kind)
                .setBatchId(request.batchId())
                .setAttempt(request.attempt())
                .setRowCount(request.inputs().size())
                .build();
    }

    /**
     * Adds a batch that is about to be sent.
     *
     * @param request its header
     * @param early takes rows that are told of before the others; null if nobody does
     * @return completed by the thread that answers; exceptionally only by {@link #failAll}
     */
    CompletionStage<BatchOutcome<OUT>> add(FrameHeader request, @Nullable EarlyRows<OUT> early) {
        AwaitedBatch<OUT> waiting = new AwaitedBatch<>(request.getRowCount(), early);
        awaited.put(
                new Key(request.getBatchId(), request.getAttempt(), request.getKind()), waiting);
        Throwable cause = broken;
        if (cause != null) {
            failAll(cause);
        }
        return waiting.outcome();
    }

    /** A batch that was added is not sent at all. */
    void refused(FrameHeader request, Exception why) {
        AwaitedBatch<OUT> waiting =
                awaited.remove(
                        new Key(request.getBatchId(), request.getAttempt(), request.getKind()));
        if (waiting != null) {
            waiting.outcome().complete(BatchOutcome.failure(why));
        }
    }

    /**
     * Nobody waits for an invocation any more: what is answered to it means nothing, and its stage
     * does not complete.
     *
     * @return what Python is told; null if it was answered
     */
    @Nullable
    FrameHeader cancelled(long batchId, int attempt) {
        if (awaited.remove(new Key(batchId, attempt, FrameKind.INVOKE)) == null) {
            return null;
        }
        return FrameHeader.newBuilder()
                .setKind(FrameKind.CANCEL)
                .setBatchId(batchId)
                .setAttempt(attempt)
                .build();
    }

    /**
     * Takes a {@code PART}, {@code RESULT}, {@code RETRY} or {@code FAILURE} of a batch.
     *
     * @param results decodes the results of a {@code PART} or {@code RESULT} that is still awaited;
     *     called before this returns, if at all
     */
    void answered(FrameHeader header, Supplier<List<OUT>> results) {
        Key key = new Key(header.getBatchId(), header.getAttempt(), header.getAnswers());
        if (header.getKind() == FrameKind.PART) {
            partAnswered(key, header, results);
            return;
        }
        AwaitedBatch<OUT> waiting = awaited.remove(key);
        if (waiting == null) {
            // It crossed the TIMEOUT that Python has answered meanwhile, or there was a part for
            // each row.
            return;
        }
        if (header.getAnswers() == FrameKind.TIMEOUT) {
            // The invocation that timed out has been cancelled and will not be answered any more.
            awaited.remove(new Key(header.getBatchId(), header.getAttempt(), FrameKind.INVOKE));
        }
        waiting.outcome().complete(outcome(header, results, waiting));
    }

    private void partAnswered(Key key, FrameHeader header, Supplier<List<OUT>> results) {
        AwaitedBatch<OUT> waiting = awaited.get(key);
        if (waiting == null) {
            return;
        }
        try {
            if (waiting.takePart(
                    header, results, failure -> rowFailure(header, failure, waiting))) {
                // Who took the rows knows that it has all: there is no outcome beside theirs.
                awaited.remove(key, waiting);
            }
        } catch (RuntimeException e) {
            if (awaited.remove(key, waiting)) {
                waiting.outcome().complete(BatchOutcome.failure(e));
            }
        }
    }

    private BatchOutcome<OUT> outcome(
            FrameHeader header, Supplier<List<OUT>> results, AwaitedBatch<OUT> waiting) {
        int rowCount = waiting.rowCount();
        if (header.getKind() == FrameKind.RETRY) {
            return BatchOutcome.retry(
                    header.hasFailure() ? failure(header, rowCount) : null,
                    header.getRetryDelayMillis());
        }
        if (header.getKind() == FrameKind.FAILURE) {
            PythonBatchException failure = failure(header, rowCount);
            return switch (header.getFailure().getKind()) {
                case INVALID_RESULT -> BatchOutcome.invalidResult(failure);
                case TOO_LARGE -> BatchOutcome.tooLarge(failure);
                default -> BatchOutcome.failure(failure);
            };
        }
        try {
            return waiting.rest(header, results, failure -> rowFailure(header, failure, waiting));
        } catch (RuntimeException e) {
            return BatchOutcome.failure(e);
        }
    }

    private PythonBatchException failure(FrameHeader header, int rowCount) {
        return PythonBatchException.of(
                functionName, header.getAnswers(), rowCount, header.getFailure());
    }

    private PythonBatchException rowFailure(
            FrameHeader header, RowFailure failure, AwaitedBatch<OUT> waiting) {
        return PythonBatchException.ofRow(
                functionName,
                header.getAnswers(),
                failure.getIndex(),
                waiting.rowCount(),
                failure.getFailure());
    }

    /** Fails every batch, also those yet to be added, as no answer will come any more. */
    void failAll(Throwable cause) {
        broken = cause;
        List<AwaitedBatch<OUT>> lost = new ArrayList<>(awaited.values());
        awaited.clear();
        lost.forEach(waiting -> waiting.outcome().completeExceptionally(cause));
    }
}
