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
                        + describe(process.describeOutput()));
    }

    private static String describe(String output) {
        if (output.isEmpty()) {
            return "; it printed nothing";
        }
        boolean notInstalled =
                output.contains("No module named pyflink_async_batch")
                        || output.contains("No module named 'pyflink_async_batch'");
        return notInstalled
                ? "\nInstall pyflink-async-batch for the interpreter that 'python.executable'"
                        + " names, or ship its wheel with -pyfs."
                        + output
                : output;
    }
}
