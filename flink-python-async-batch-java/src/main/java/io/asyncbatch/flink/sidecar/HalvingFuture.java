package io.asyncbatch.flink.sidecar;

import io.asyncbatch.flink.BatchTooLargeException;
import java.util.Collection;
import org.apache.flink.streaming.api.functions.async.CollectionSupplier;
import org.apache.flink.streaming.api.functions.async.ResultFuture;

/**
 * Tells the operator which failures of a request smaller ones may not have. Any thread completes
 * it.
 *
 * @param <OUT> type of the results
 */
final class HalvingFuture<OUT> implements ResultFuture<OUT> {

    private final int rows;
    private final ResultFuture<OUT> results;

    /**
     * @param rows of the request
     * @param results what the operator waits for
     */
    HalvingFuture(int rows, ResultFuture<OUT> results) {
        this.rows = rows;
        this.results = results;
    }

    @Override
    public void complete(Collection<OUT> result) {
        results.complete(result);
    }

    @Override
    public void complete(CollectionSupplier<OUT> supplier) {
        results.complete(supplier);
    }

    @Override
    public void completeExceptionally(Throwable error) {
        results.completeExceptionally(
                error instanceof SidecarException failure && isAboutSize(failure)
                        ? new BatchTooLargeException(
                                "a request of " + rows + " rows: " + failure.getMessage(), failure)
                        : error);
    }

    /**
     * One status tells a server without memory from one with too much to do only if the server says
     * more: that it is its memory, or when to come back. To the latter no smaller request helps.
     */
    private boolean isAboutSize(SidecarException failure) {
        return switch (failure.kind()) {
            case OUT_OF_MEMORY -> true;
            case OVERLOADED -> rows > 1 && failure.retryAfter().isEmpty();
            default -> false;
        };
    }
}
