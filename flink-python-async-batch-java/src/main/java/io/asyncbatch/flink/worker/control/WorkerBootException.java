package io.asyncbatch.flink.worker.control;

import io.asyncbatch.flink.worker.process.WorkerProcess;
import java.io.IOException;
import org.apache.flink.annotation.Internal;

/** A worker process that could be started did not become ready. */
@Internal
public final class WorkerBootException extends IOException {

    private static final long serialVersionUID = 1L;

    public WorkerBootException(String what, WorkerProcess process) {
        super(
                "The Python worker "
                        + what
                        + ": "
                        + process.describeState()
                        + describeOutput(process.outputTail()));
    }

    private static String describeOutput(String tail) {
        if (tail.isEmpty()) {
            return "; it printed nothing";
        }
        String hint =
                tail.contains("No module named pyflink_async_batch")
                                || tail.contains("No module named 'pyflink_async_batch'")
                        ? "\nInstall pyflink-async-batch for the interpreter that"
                                + " 'python.executable' names, or ship it with -pyfs."
                        : "";
        return hint + "\nThe end of its output:\n" + tail;
    }
}
