package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.invoker.InvokerContext;
import io.asyncbatch.flink.worker.control.WorkerCommand;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.apache.beam.sdk.options.PipelineOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.python.PythonOptions;
import org.apache.flink.python.env.PythonDependencyInfo;
import org.apache.flink.python.env.process.ProcessPythonEnvironmentManager;

/**
 * The Python environment of one subtask, made by PyFlink from its dependency options: files,
 * archives, requirements, interpreter. Opened and closed by the mailbox thread.
 */
final class PythonEnvironment implements AutoCloseable {

    private static final String WORKING_DIRECTORY_VARIABLE = "_PYTHON_WORKING_DIR";

    /** Would send the worker into the client's process, whose pool listens on every interface. */
    private static final String LOOPBACK_POOL_VARIABLE = "PYTHON_LOOPBACK_SERVER_ADDRESS";

    private final Configuration configuration;
    private final PythonDependencyInfo dependencies;
    private final ProcessPythonEnvironmentManager manager;
    private boolean opened;

    PythonEnvironment(Configuration configuration, InvokerContext context) {
        this.configuration = configuration;
        this.dependencies =
                PythonDependencyInfo.create(
                        configuration, context.runtimeContext().getDistributedCache());
        this.manager =
                new ProcessPythonEnvironmentManager(
                        dependencies,
                        context.taskEnvironment().getTaskManagerInfo().getTmpDirectories(),
                        configuration.get(PythonOptions.PYTHON_SYSTEMENV_ENABLED)
                                ? System.getenv()
                                : Map.of(),
                        context.runtimeContext().getJobInfo().getJobId());
    }

    /** Extracts archives and installs requirements, once per job and TaskManager. */
    void open() throws Exception {
        manager.open();
        opened = true;
    }

    /** What to run as a worker in this environment, with these variables added. */
    WorkerCommand command(Map<String, String> additionalVariables) {
        // Not createEnvironment(): it runs the interpreter once more to find a script that we
        // do not use.
        Map<String, String> variables = new HashMap<>(manager.getPythonEnv());
        configuration.getOptional(PythonOptions.PYTHON_JOB_OPTIONS).ifPresent(variables::putAll);
        variables.remove(LOOPBACK_POOL_VARIABLE);
        variables.putAll(additionalVariables);
        String workingDirectory = variables.get(WORKING_DIRECTORY_VARIABLE);
        return new WorkerCommand(
                dependencies.getPythonExec(),
                variables,
                workingDirectory == null ? null : Path.of(workingDirectory));
    }

    /** Options for Beam's harness in the worker: log levels. */
    PipelineOptions pipelineOptions() {
        return PythonLogLevels.pipelineOptions(configuration);
    }

    boolean metricsEnabled() {
        return configuration.get(PythonOptions.PYTHON_METRIC_ENABLED);
    }

    @Override
    public void close() throws Exception {
        if (opened) {
            opened = false;
            manager.close();
        }
    }
}
