package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.worker.process.WorkerProcess;
import javax.annotation.Nullable;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A Python worker ended, or left its batch channel, while it was needed. The message tells its exit
 * status and the end of what it printed and logged; of a worker that is a thread, why it ended.
 */
@PublicEvolving
public final class PythonWorkerDiedException extends Exception {

    private static final long serialVersionUID = 1L;

    /**
     * @param endedBecause why this side has ended it; null if it has not
     */
    PythonWorkerDiedException(
            String functionName,
            int batchesInFlight,
            WorkerProcess process,
            @Nullable String endedBecause,
            @Nullable Throwable cause) {
        super(
                "The Python worker of "
                        + functionName
                        + what(process, endedBecause)
                        + process.describeState()
                        + ") with "
                        + batchesInFlight
                        + " batches in flight"
                        + (endedBecause == null ? "" : ": " + endedBecause)
                        + process.describeOutput(),
                cause);
    }

    private static String what(WorkerProcess process, @Nullable String endedBecause) {
        if (endedBecause != null) {
            return " was ended (";
        }
        return process.isAlive() ? " left its batch channel (" : " died (";
    }

    /** For Python in this process. */
    PythonWorkerDiedException(String functionName, int batchesInFlight, @Nullable Throwable cause) {
        super(
                "The Python thread of "
                        + functionName
                        + " ended with "
                        + batchesInFlight
                        + " batches in flight"
                        + (cause == null ? "" : ": " + cause.getMessage()),
                cause);
    }
}
