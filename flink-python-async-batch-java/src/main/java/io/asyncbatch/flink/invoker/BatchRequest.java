package io.asyncbatch.flink.invoker;

import java.util.List;
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
public record BatchRequest<IN>(long batchId, int attempt, List<IN> inputs) {}
