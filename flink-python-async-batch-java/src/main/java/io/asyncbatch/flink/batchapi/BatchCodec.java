package io.asyncbatch.flink.batchapi;

import org.apache.flink.annotation.PublicEvolving;

/**
 * Turns rows into requests and responses into results. Travels with the job; each copy of it is
 * used by one thread at a time. Rows must not be changed. A row's request may be asked for more
 * than once and should be the same each time.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@PublicEvolving
public interface BatchCodec<IN, OUT> extends RequestCodec<IN> {

    /**
     * The result of a row.
     *
     * @param response a JSON value: with OpenAI's API the body of the response
     * @throws Exception if the response is no good; the row then counts as failed and is submitted
     *     again as often as the options allow
     */
    OUT result(IN row, String response) throws Exception;
}
