package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.proto.Failure;
import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
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
    private final Map<Key, Awaited<OUT>> awaited = new ConcurrentHashMap<>();
    @Nullable private volatile Throwable broken;

    /** What a batch is known by: one may await an answer to each kind of request. */
    private record Key(long batchId, int attempt, FrameKind answers) {}

    private record Awaited<OUT>(int rowCount, CompletableFuture<BatchOutcome<OUT>> outcome) {}

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
     * @return completed by the thread that answers; exceptionally only by {@link #failAll}
     */
    CompletionStage<BatchOutcome<OUT>> add(FrameHeader request) {
        Awaited<OUT> waiting = new Awaited<>(request.getRowCount(), new CompletableFuture<>());
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
        Awaited<OUT> waiting =
                awaited.remove(
                        new Key(request.getBatchId(), request.getAttempt(), request.getKind()));
        if (waiting != null) {
            waiting.outcome().complete(BatchOutcome.failure(why));
        }
    }

    /**
     * Takes a {@code RESULT}, {@code RETRY} or {@code FAILURE} of a batch.
     *
     * @param results decodes the results of a {@code RESULT} that is still awaited; called before
     *     this returns, if at all
     */
    void answered(FrameHeader header, Supplier<List<OUT>> results) {
        Awaited<OUT> waiting =
                awaited.remove(
                        new Key(header.getBatchId(), header.getAttempt(), header.getAnswers()));
        if (waiting == null) {
            // It crossed the TIMEOUT that Python has answered meanwhile.
            return;
        }
        if (header.getAnswers() == FrameKind.TIMEOUT) {
            // The invocation that timed out has been cancelled and will not be answered any more.
            awaited.remove(new Key(header.getBatchId(), header.getAttempt(), FrameKind.INVOKE));
        }
        waiting.outcome().complete(outcome(header, results, waiting.rowCount()));
    }

    private BatchOutcome<OUT> outcome(
            FrameHeader header, Supplier<List<OUT>> results, int rowCount) {
        if (header.getKind() == FrameKind.RETRY) {
            return BatchOutcome.retry(
                    header.hasFailure() ? failure(header, rowCount) : null,
                    header.getRetryDelayMillis());
        }
        if (header.getKind() == FrameKind.FAILURE) {
            PythonBatchException failure = failure(header, rowCount);
            return header.getFailure().getKind() == Failure.Kind.INVALID_RESULT
                    ? BatchOutcome.invalidResult(failure)
                    : BatchOutcome.failure(failure);
        }
        try {
            return BatchOutcome.success(results.get());
        } catch (RuntimeException e) {
            return BatchOutcome.failure(e);
        }
    }

    private PythonBatchException failure(FrameHeader header, int rowCount) {
        return PythonBatchException.of(
                functionName, header.getAnswers(), rowCount, header.getFailure());
    }

    /** Fails every batch, also those yet to be added, as no answer will come any more. */
    void failAll(Throwable cause) {
        broken = cause;
        List<Awaited<OUT>> lost = new ArrayList<>(awaited.values());
        awaited.clear();
        lost.forEach(waiting -> waiting.outcome().completeExceptionally(cause));
    }
}
