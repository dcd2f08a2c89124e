package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.proto.Failure;
import io.asyncbatch.flink.proto.FrameKind;
import org.apache.flink.annotation.PublicEvolving;

/**
 * The Python function failed on a batch. The message begins with the Python exception and ends with
 * its traceback.
 */
@PublicEvolving
public final class PythonBatchException extends Exception {

    private static final long serialVersionUID = 1L;

    private final String errorClass;

    private PythonBatchException(String message, String errorClass) {
        super(message);
        this.errorClass = errorClass;
    }

    static PythonBatchException of(
            String functionName, FrameKind answers, int rowCount, Failure failure) {
        String method = answers == FrameKind.TIMEOUT ? "timeout_batch" : "async_invoke_batch";
        return new PythonBatchException(
                describe(
                        functionName + "." + method + " failed on a batch of " + rowCount, failure),
                failure.getErrorClass());
    }

    static PythonBatchException ofWorker(String functionName, Failure failure) {
        String what =
                switch (failure.getKind()) {
                    case OPEN -> functionName + ".open failed";
                    case CLOSE -> functionName + ".close failed";
                    default -> "The Python worker of " + functionName + " cannot go on";
                };
        return new PythonBatchException(describe(what, failure), failure.getErrorClass());
    }

    private static String describe(String what, Failure failure) {
        String error =
                failure.getMessage().isEmpty()
                        ? failure.getErrorClass()
                        : failure.getErrorClass() + ": " + failure.getMessage();
        return failure.getTraceback().isEmpty()
                ? what + ": " + error
                : what + ": " + error + "\n" + failure.getTraceback();
    }

    /** Qualified name of the Python exception's class, such as {@code ValueError}. */
    public String getErrorClass() {
        return errorClass;
    }
}
