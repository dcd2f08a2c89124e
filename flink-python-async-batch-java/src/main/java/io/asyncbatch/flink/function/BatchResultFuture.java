package io.asyncbatch.flink.function;

import io.asyncbatch.flink.BatchTooLargeException;
import io.asyncbatch.flink.RowFailuresException;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.RowFailure;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.UnaryOperator;
import org.apache.flink.streaming.api.functions.async.CollectionSupplier;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a function tells the outcome of one call. The first outcome counts. Any thread may tell it.
 */
final class BatchResultFuture<OUT> implements ResultFuture<OUT> {

    private static final Logger LOG = LoggerFactory.getLogger(BatchResultFuture.class);

    private final Class<?> functionClass;
    private final UnaryOperator<BatchOutcome<OUT>> finish;
    private final CompletableFuture<BatchOutcome<OUT>> outcome = new CompletableFuture<>();

    /**
     * @param functionClass for error messages
     * @param finish makes of what the function told what the operator is told
     */
    BatchResultFuture(Class<?> functionClass, UnaryOperator<BatchOutcome<OUT>> finish) {
        this.functionClass = functionClass;
        this.finish = finish;
    }

    CompletionStage<BatchOutcome<OUT>> outcome() {
        return outcome;
    }

    @Override
    public void complete(Collection<OUT> results) {
        outcome.complete(finish.apply(success(results)));
    }

    /** The supplier runs in the mailbox thread, as with Flink's operator. */
    @Override
    public void complete(CollectionSupplier<OUT> supplier) {
        outcome.complete(
                supplier == null
                        ? BatchOutcome.invalidResult(none("CollectionSupplier"))
                        : finish.apply(BatchOutcome.deferred(() -> success(supplier.get()))));
    }

    @Override
    public void completeExceptionally(Throwable error) {
        outcome.complete(finish.apply(failure(error == null ? none("exception") : error)));
    }

    /** Which failures are about some rows only, or about the size of the batch. */
    @SuppressWarnings("unchecked")
    private BatchOutcome<OUT> failure(Throwable error) {
        if (error instanceof RowFailuresException rows) {
            List<RowFailure> failures = new ArrayList<>();
            rows.failures().forEach((row, cause) -> failures.add(new RowFailure(row, cause)));
            return BatchOutcome.success((List<OUT>) rows.results(), failures);
        }
        return error instanceof BatchTooLargeException
                ? BatchOutcome.tooLarge(error)
                : BatchOutcome.failure(error);
    }

    /** The method that was given this future threw. */
    void thrown(Exception error) {
        if (!outcome.complete(finish.apply(failure(error)))) {
            LOG.warn(
                    "{} threw after it had completed its batch; the first outcome counts",
                    functionClass.getName(),
                    error);
        }
    }

    private BatchOutcome<OUT> success(Collection<OUT> results) {
        return results == null
                ? BatchOutcome.invalidResult(none("result"))
                : BatchOutcome.success(new ArrayList<>(results));
    }

    private NullPointerException none(String what) {
        return new NullPointerException(
                functionClass.getName()
                        + " completed its batch with null: the "
                        + what
                        + " cannot be null");
    }
}
