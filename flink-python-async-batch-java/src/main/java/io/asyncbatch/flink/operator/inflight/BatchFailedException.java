package io.asyncbatch.flink.operator.inflight;

import org.apache.flink.annotation.Internal;

/**
 * Says which batch could not be completed, and why. Its message contains that of its cause, because
 * users often see no more than the first line. Immutable. Names sizes, never rows.
 */
@Internal
public final class BatchFailedException extends Exception {

    BatchFailedException(long batchId, int rows, Throwable cause) {
        super(
                "Could not complete the batch of "
                        + rows
                        + (rows == 1 ? " row" : " rows")
                        + " (batch "
                        + batchId
                        + "): "
                        + describe(cause),
                cause);
    }

    private static String describe(Throwable cause) {
        String message = cause.getMessage();
        return message == null || message.isEmpty() ? cause.getClass().getName() : message;
    }
}
