package io.asyncbatch.flink.operator.state;

import io.asyncbatch.flink.FailureKind;
import io.asyncbatch.flink.invoker.ForeignError;
import java.io.Serializable;
import org.apache.flink.annotation.Internal;

/**
 * Why a row has no result, as it is told to the user. Immutable.
 *
 * @param errorClass name of the error's class
 * @param message what the error said, bounded in length
 * @param attempts calls that the row was part of
 * @param atMillis when it was given up, by the machine's clock
 */
@Internal
public record FailedRow(
        FailureKind kind, String errorClass, String message, int attempts, long atMillis)
        implements Serializable {

    private static final int LONGEST_MESSAGE = 8_192;

    /** A failed row with class and message of an error; the message is empty where it has none. */
    public static FailedRow of(FailureKind kind, Throwable cause, int attempts, long atMillis) {
        String errorClass = cause.getClass().getName();
        String message = cause.getMessage() == null ? "" : cause.getMessage();
        if (cause instanceof ForeignError foreign) {
            errorClass = foreign.getErrorClass();
            message = foreign.getErrorMessage();
        }
        return new FailedRow(kind, errorClass, shortened(message), attempts, atMillis);
    }

    private static String shortened(String message) {
        return message.length() <= LONGEST_MESSAGE
                ? message
                : message.substring(0, LONGEST_MESSAGE);
    }
}
