package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.invoker.ForeignError;
import io.asyncbatch.flink.proto.Failure;
import io.asyncbatch.flink.proto.FrameKind;
import org.apache.flink.annotation.PublicEvolving;

/**
 * The Python function failed on a batch. The message begins with the Python exception and ends with
 * its traceback.
 */
@PublicEvolving
public sealed class PythonBatchException extends Exception implements ForeignError
        permits PythonOverloadException {

    private static final long serialVersionUID = 1L;

    private final String errorClass;
    private final String errorMessage;

    PythonBatchException(String what, Failure failure) {
        super(describe(what, failure));
        this.errorClass = failure.getErrorClass();
        this.errorMessage = failure.getMessage();
    }

    static PythonBatchException of(
            String functionName, FrameKind answers, int rowCount, Failure failure) {
        String what = functionName + "." + method(answers) + " failed on a batch of " + rowCount;
        return failure.getKind() == Failure.Kind.OVERLOADED
                ? new PythonOverloadException(what, failure)
                : new PythonBatchException(what, failure);
    }

    static PythonBatchException ofRow(
            String functionName, FrameKind answers, int row, int rowCount, Failure failure) {
        return new PythonBatchException(
                functionName
                        + "."
                        + method(answers)
                        + " has no result for row "
                        + row
                        + " of a batch of "
                        + rowCount,
                failure);
    }

    private static String method(FrameKind answers) {
        return answers == FrameKind.TIMEOUT ? "timeout_batch" : "async_invoke_batch";
    }

    static PythonBatchException ofWorker(String functionName, Failure failure) {
        String what =
                switch (failure.getKind()) {
                    case OPEN -> functionName + ".open failed";
                    case CLOSE -> functionName + ".close failed";
                    default -> "The Python worker of " + functionName + " cannot go on";
                };
        return new PythonBatchException(what, failure);
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
    @Override
    public String getErrorClass() {
        return errorClass;
    }

    /** What the Python exception said. */
    @Override
    public String getErrorMessage() {
        return errorMessage;
    }
}
