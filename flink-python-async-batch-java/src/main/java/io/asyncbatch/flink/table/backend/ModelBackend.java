package io.asyncbatch.flink.table.backend;

import io.asyncbatch.flink.invoker.BatchInvokerFactory;
import io.asyncbatch.flink.operator.buffer.RowWeigher;
import java.io.Serializable;
import org.apache.flink.annotation.Internal;

/**
 * What computes a model's batches, and as what it sees rows. Immutable; travels with the job graph.
 *
 * @param invokerFactory makes a subtask's invoker
 * @param weigher what a row counts for the size of a batch in bytes
 * @param inputs rows of the model's input schema as the invoker takes them
 * @param outputs rows of the model's output schema as the invoker gives them
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public record ModelBackend<IN, OUT>(
        BatchInvokerFactory<IN, OUT> invokerFactory,
        RowWeigher<IN> weigher,
        RowConversion<IN> inputs,
        RowConversion<OUT> outputs)
        implements Serializable {}
