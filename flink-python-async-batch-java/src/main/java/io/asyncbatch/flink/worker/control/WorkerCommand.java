package io.asyncbatch.flink.worker.control;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * What to run as a worker: interpreter, environment variables and directory, as PyFlink's
 * dependency options prepared them. Immutable.
 *
 * @param interpreter value of {@code python.executable}
 * @param environment all environment variables of the process
 * @param workingDirectory where archives were extracted, or null
 */
@Internal
public record WorkerCommand(
        String interpreter, Map<String, String> environment, @Nullable Path workingDirectory) {

    private static final String ENTRY_POINT = "pyflink_async_batch._worker.entrypoint";

    public WorkerCommand {
        environment = Map.copyOf(environment);
    }

    List<String> commandLine(String workerId, String provisionEndpoint) {
        List<String> command = new ArrayList<>();
        command.add(resolvedInterpreter());
        command.add("-m");
        command.add(ENTRY_POINT);
        command.add("--id=" + workerId);
        command.add("--provision_endpoint=" + provisionEndpoint);
        return command;
    }

    /** An interpreter from an archive is named relative to where archives are extracted. */
    private String resolvedInterpreter() {
        if (workingDirectory == null || !interpreter.contains("/")) {
            return interpreter;
        }
        Path extracted = workingDirectory.resolve(interpreter);
        if (!Files.exists(extracted)) {
            return interpreter;
        }
        // Archives need not preserve permissions.
        extracted.toFile().setExecutable(true, true);
        return extracted.toString();
    }
}
