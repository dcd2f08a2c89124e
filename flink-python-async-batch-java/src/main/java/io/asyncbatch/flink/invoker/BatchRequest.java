package io.asyncbatch.flink.invoker;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.apache.flink.annotation.Internal;

/**
 * One invocation of one batch, as the operator hands it to a {@link BatchInvoker}. Immutable; the
 * operator never changes the inputs once a request holds them.
 *
 * @param batchId identifies the batch within the operator's life, from 1
 * @param attempt number of this invocation of the batch, from 1
 * @param inputs the batch's rows in input order, never empty
 * @param <IN> type of the inputs
 */
@Internal
public record BatchRequest<IN>(long batchId, int attempt, List<IN> inputs) {

    /** The same invocation, with something else for each input. */
    public <T> BatchRequest<T> map(Function<? super IN, ? extends T> ofInput) {
        List<T> mapped = new ArrayList<>(inputs.size());
        for (IN input : inputs) {
            mapped.add(ofInput.apply(input));
        }
        return new BatchRequest<>(batchId, attempt, mapped);
    }
}
