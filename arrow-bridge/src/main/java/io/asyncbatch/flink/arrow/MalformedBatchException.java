package io.asyncbatch.flink.arrow;

import org.apache.flink.annotation.Internal;

/** Thrown for bytes that are not the record batch that the schema and the row count promise. */
@Internal
public class MalformedBatchException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    public MalformedBatchException(String message) {
        super(message);
    }

    public MalformedBatchException(String message, Throwable cause) {
        super(message, cause);
    }
}
