package io.asyncbatch.flink.operator.state;

import io.asyncbatch.flink.FailureKind;
import java.io.Serializable;
import org.apache.flink.annotation.Internal;

/**
 * Why a row has no result, as it is told to the user. Immutable.
 *
 * @param message bounded in length
 * @param attempts calls that the row was part of
 * @param atMillis when it was given up, by the machine's clock
 */
@Internal
public record FailedRow(FailureKind kind, String message, int attempts, long atMillis)
        implements Serializable {

    private static final int LONGEST_MESSAGE = 8_192;

    /** A failed row whose message is that of an error, or its class where it has none. */
    public static FailedRow of(FailureKind kind, Throwable cause, int attempts, long atMillis) {
        String message = cause.getMessage();
        if (message == null || message.isEmpty()) {
            message = cause.getClass().getName();
        }
        if (message.length() > LONGEST_MESSAGE) {
            message = message.substring(0, LONGEST_MESSAGE);
        }
        return new FailedRow(kind, message, attempts, atMillis);
    }
}
