package io.asyncbatch.flink.table.stream;

import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchInvokerFactory;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.EarlyRows;
import io.asyncbatch.flink.invoker.InvokerContext;
import io.asyncbatch.flink.invoker.RowFailure;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;
import org.apache.flink.types.Row;

/**
 * Has an invoker compute some columns of rows and joins what it gives to the rows, so that the
 * others need not travel. Immutable; its invokers belong to the mailbox thread.
 *
 * @param <I> what the invoker takes
 * @param <O> what it gives
 */
@Internal
public final class JoiningInvokerFactory<I, O> implements BatchInvokerFactory<Row, Row> {

    private static final long serialVersionUID = 1L;

    private final RowJoin join;
    private final BatchInvokerFactory<I, O> factory;

    public JoiningInvokerFactory(RowJoin join, BatchInvokerFactory<I, O> factory) {
        this.join = join;
        this.factory = factory;
    }

    @Override
    public BatchInvoker<Row, Row> createInvoker() {
        return new JoiningInvoker(factory.createInvoker());
    }

    private final class JoiningInvoker implements BatchInvoker<Row, Row> {

        private final BatchInvoker<I, O> invoker;

        private JoiningInvoker(BatchInvoker<I, O> invoker) {
            this.invoker = invoker;
        }

        @Override
        public void open(InvokerContext context) throws Exception {
            invoker.open(context);
        }

        @Override
        public CompletionStage<BatchOutcome<Row>> invoke(
                BatchRequest<Row> request, EarlyRows<Row> early) {
            // Rows that are given early have no result in the outcome that follows.
            BitSet given = new BitSet();
            return invoker.invoke(
                            selected(request),
                            (rows, results, failures) -> {
                                synchronized (given) {
                                    Arrays.stream(rows).filter(row -> row >= 0).forEach(given::set);
                                }
                                early.accept(
                                        rows, joined(request, rows, results, failures), failures);
                            })
                    .thenApply(outcome -> joined(request, remaining(request, given), outcome));
        }

        @Override
        public CompletionStage<BatchOutcome<Row>> timeout(BatchRequest<Row> request) {
            return invoker.timeout(selected(request))
                    .thenApply(
                            outcome -> joined(request, remaining(request, new BitSet()), outcome));
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

        @SuppressWarnings("unchecked")
        private BatchRequest<I> selected(BatchRequest<Row> request) {
            return request.map(row -> (I) join.input(row));
        }

        private int[] remaining(BatchRequest<Row> request, BitSet given) {
            synchronized (given) {
                return IntStream.range(0, request.inputs().size())
                        .filter(row -> !given.get(row))
                        .toArray();
            }
        }

        private BatchOutcome<Row> joined(
                BatchRequest<Row> request, int[] rows, BatchOutcome<O> outcome) {
            if (outcome instanceof BatchOutcome.Success<O> success) {
                return success(request, rows, success);
            }
            if (outcome instanceof BatchOutcome.Deferred<O> deferred) {
                return BatchOutcome.deferred(() -> joined(request, rows, deferred.tell()));
            }
            return withoutResults(outcome);
        }

        /** Such an outcome is the same whatever the type of the results. */
        @SuppressWarnings("unchecked")
        private BatchOutcome<Row> withoutResults(BatchOutcome<O> outcome) {
            return (BatchOutcome<Row>) outcome;
        }

        private BatchOutcome<Row> success(
                BatchRequest<Row> request, int[] rows, BatchOutcome.Success<O> success) {
            if (success.results().size() != rows.length) {
                return BatchOutcome.invalidResult(
                        new IllegalStateException(
                                "the function gave "
                                        + success.results().size()
                                        + " results for "
                                        + rows.length
                                        + " inputs"));
            }
            return BatchOutcome.success(
                    joined(request, rows, success.results(), success.failures()),
                    success.failures());
        }

        /** Of a row that failed, or that the call was not for, there is nothing to join. */
        private List<Row> joined(
                BatchRequest<Row> request, int[] rows, List<O> results, List<RowFailure> failures) {
            Set<Integer> failed =
                    failures.stream().map(RowFailure::row).collect(Collectors.toSet());
            List<Row> joined = new ArrayList<>(rows.length);
            for (int i = 0; i < rows.length; i++) {
                int row = rows[i];
                boolean hasResult =
                        row >= 0 && row < request.inputs().size() && !failed.contains(row);
                joined.add(
                        hasResult ? join.output(request.inputs().get(row), results.get(i)) : null);
            }
            return joined;
        }

        @Override
        public void close() throws Exception {
            invoker.close();
        }
    }
}
