package io.asyncbatch.flink.grouped;

import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchInvokerFactory;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.EarlyRows;
import io.asyncbatch.flink.invoker.InvokerContext;
import java.util.concurrent.CompletionStage;
import org.apache.flink.annotation.Internal;
import org.apache.flink.types.Row;

/**
 * Has an invoker compute the elements of {@link GroupedRows}. Immutable; its invokers belong to the
 * mailbox thread.
 *
 * @param <E> type of the elements
 * @param <OUT> type of the results
 */
@Internal
public final class ElementInvokerFactory<E, OUT> implements BatchInvokerFactory<Row, OUT> {

    private static final long serialVersionUID = 1L;

    private final BatchInvokerFactory<E, OUT> factory;

    public ElementInvokerFactory(BatchInvokerFactory<E, OUT> factory) {
        this.factory = factory;
    }

    @Override
    public BatchInvoker<Row, OUT> createInvoker() {
        return new ElementInvoker<>(factory.createInvoker());
    }

    private record ElementInvoker<E, OUT>(BatchInvoker<E, OUT> invoker)
            implements BatchInvoker<Row, OUT> {

        @Override
        public void open(InvokerContext context) throws Exception {
            invoker.open(context);
        }

        @Override
        public CompletionStage<BatchOutcome<OUT>> invoke(
                BatchRequest<Row> request, EarlyRows<OUT> early) {
            return invoker.invoke(elements(request), early);
        }

        @Override
        public CompletionStage<BatchOutcome<OUT>> timeout(BatchRequest<Row> request) {
            return invoker.timeout(elements(request));
        }

        @SuppressWarnings("unchecked")
        private BatchRequest<E> elements(BatchRequest<Row> request) {
            return request.map(row -> (E) GroupedRows.element(row));
        }

        @Override
        public void cancel(long batchId, int attempt) {
            invoker.cancel(batchId, attempt);
        }

        @Override
        public CompletionStage<Void> ready() {
            return invoker.ready();
        }

        @Override
        public boolean replace(String why) {
            return invoker.replace(why);
        }

        @Override
        public void close() throws Exception {
            invoker.close();
        }
    }
}
