package io.asyncbatch.flink.batchapi;

import java.io.Serializable;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Turns responses into results where the rows are not at hand. Travels with the job; each copy of
 * it is used by one thread at a time.
 *
 * @param <OUT> type of the results
 */
@PublicEvolving
@FunctionalInterface
public interface ResultCodec<OUT> extends Serializable {

    /**
     * The result of a request.
     *
     * @param customId of the request, as in {@link SubmittedRow#customId}
     * @param response a JSON value: with OpenAI's API the body of the response
     * @throws Exception if the response is no good; the request then counts as failed
     */
    OUT result(String customId, String response) throws Exception;
}
