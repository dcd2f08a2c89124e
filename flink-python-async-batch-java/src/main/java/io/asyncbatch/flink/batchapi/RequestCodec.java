package io.asyncbatch.flink.batchapi;

import java.io.Serializable;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Turns rows into requests. Travels with the job; each copy of it is used by one thread at a time.
 * Rows must not be changed. A row's request may be asked for more than once and should be the same
 * each time.
 *
 * @param <IN> type of the inputs
 */
@PublicEvolving
@FunctionalInterface
public interface RequestCodec<IN> extends Serializable {

    /**
     * The request for a row, a JSON value: with OpenAI's API the body of a call, such as {@code
     * {"model": …, "messages": […]}}.
     *
     * @throws Exception if there is none; the row then counts as failed and is not tried again
     */
    String request(IN row) throws Exception;
}
