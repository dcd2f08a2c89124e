package io.asyncbatch.flink.sidecar;

import java.io.Serializable;
import java.util.List;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Makes a model's input tensors of records, and results of its output tensors. Travels with the job
 * graph. Called by several threads at a time, so it keeps nothing between calls; ready-made ones
 * come from {@link TensorCodecs}.
 *
 * @param <IN> type of the records
 * @param <OUT> type of the results
 */
@PublicEvolving
public interface TensorCodec<IN, OUT> extends Serializable {

    /**
     * Encodes records as the inputs of one request.
     *
     * @param records never empty; a single one where records are sent one by one
     * @return the model's inputs, whose first dimension is the number of records
     * @throws IllegalArgumentException if a record does not fit, naming its index and field
     */
    List<Tensor> encode(List<IN> records);

    /**
     * Decodes the outputs of one request.
     *
     * @param outputs what the model returned, in the server's order; valid during the call only
     * @param records how many results are expected
     * @return exactly that many results, in the order of the records
     * @throws IllegalArgumentException if an output is missing or has another type or shape than
     *     expected, naming it
     */
    List<OUT> decode(List<Tensor> outputs, int records);

    /**
     * Decodes the outputs of one request, whose records are at hand. This is the one that functions
     * call; a codec whose results hold parts of their records overrides it.
     *
     * @param outputs what the model returned, in the server's order; valid during the call only
     * @param records those that were encoded, in that order
     * @return one result a record, in the order of the records
     * @throws IllegalArgumentException as {@link #decode(List, int)} does
     */
    default List<OUT> decode(List<Tensor> outputs, List<IN> records) {
        return decode(outputs, records.size());
    }

    /**
     * The outputs that {@link #decode(List, List)} reads, which are asked for; all of the model's
     * if empty.
     */
    default List<String> outputs() {
        return List.of();
    }
}
