package io.asyncbatch.flink;

import org.apache.flink.annotation.PublicEvolving;

/**
 * Says that a batch is more than the model takes at once, such as more than the memory of its GPU.
 * The operator halves the batch, calls the function for each half, and makes smaller batches from
 * then on; it tries larger ones again after a while. A single row that is too large has failed.
 */
@PublicEvolving
public class BatchTooLargeException extends Exception {

    private static final long serialVersionUID = 1L;

    public BatchTooLargeException(String message) {
        super(message);
    }

    public BatchTooLargeException(String message, Throwable cause) {
        super(message, cause);
    }
}
