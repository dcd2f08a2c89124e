package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.proto.FrameKind;
import java.util.concurrent.CompletableFuture;

/**
 * A batch that the worker has yet to answer. Made by the mailbox thread, completed by the
 * channel's.
 */
record PendingInvocation<OUT>(int rowCount, CompletableFuture<BatchOutcome<OUT>> outcome) {

    PendingInvocation(int rowCount) {
        this(rowCount, new CompletableFuture<>());
    }

    /** What a pending invocation is known by: one batch may await an answer to each kind. */
    record Key(long batchId, int attempt, FrameKind answers) {}
}
