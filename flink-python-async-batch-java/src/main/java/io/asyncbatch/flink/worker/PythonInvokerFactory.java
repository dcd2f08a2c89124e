package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchInvokerFactory;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Supplier;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.python.PythonOptions;
import org.apache.flink.util.concurrent.ExecutorThreadFactory;

/**
 * Creates the invoker that runs a Python function in a worker process, or in a thread of this one,
 * as PyFlink's option says, and in a process of the subtask's own or one that it shares. Immutable;
 * travels with the job graph.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class PythonInvokerFactory<IN, OUT> implements BatchInvokerFactory<IN, OUT> {

    private static final long serialVersionUID = 1L;

    private final PythonFunction function;
    private final TypeInformation<IN> inputType;
    private final TypeInformation<OUT> outputType;
    private final SubmittedPythonConfiguration configuration;
    private final WorkerLimits limits;
    @Nullable private final WorkerSharing sharing;
    @Nullable private final WorkerRestarts restarts;

    /**
     * @param sharing how subtasks share a worker; null if each has its own
     * @param restarts how a worker that died is started again; null if its death fails the task
     */
    public PythonInvokerFactory(
            PythonFunction function,
            TypeInformation<IN> inputType,
            TypeInformation<OUT> outputType,
            SubmittedPythonConfiguration configuration,
            WorkerLimits limits,
            @Nullable WorkerSharing sharing,
            @Nullable WorkerRestarts restarts) {
        this.function = function;
        this.inputType = inputType;
        this.outputType = outputType;
        this.configuration = configuration;
        this.limits = limits;
        this.sharing = sharing;
        this.restarts = restarts;
        if (sharing != null && restarts != null) {
            throw new IllegalArgumentException(
                    "worker must be 'own' where worker_restart is given, got 'shared': a worker's"
                            + " death would be one of all subtasks that share it");
        }
    }

    @Override
    public BatchInvoker<IN, OUT> createInvoker() {
        Configuration options = configuration.get();
        String mode = options.get(PythonOptions.PYTHON_EXECUTION_MODE);
        return switch (mode) {
            case "process" ->
                    sharing == null
                            ? ownWorker(options)
                            : new SharedProcessInvoker<>(
                                    function, inputType, outputType, options, limits, sharing);
            case "thread" -> {
                if (sharing != null) {
                    // The client refuses it too, but need not know how a cluster is configured.
                    throw new IllegalArgumentException(
                            "worker must be 'own' where "
                                    + PythonOptions.PYTHON_EXECUTION_MODE.key()
                                    + " is 'thread', got 'shared'");
                }
                if (restarts != null) {
                    throw new IllegalArgumentException(
                            PythonOptions.PYTHON_EXECUTION_MODE.key()
                                    + " must be 'process' where worker_restart is given, got"
                                    + " 'thread': Python that runs in the TaskManager dies with"
                                    + " it");
                }
                if (limits.gpus() != null) {
                    throw new IllegalArgumentException(
                            PythonOptions.PYTHON_EXECUTION_MODE.key()
                                    + " must be 'process' where resources are declared, got"
                                    + " 'thread': all of a TaskManager share one interpreter, and"
                                    + " so its GPUs");
                }
                yield new PythonThreadInvoker<>(function, inputType, outputType, options, limits);
            }
            default ->
                    throw new IllegalArgumentException(
                            PythonOptions.PYTHON_EXECUTION_MODE.key()
                                    + " must be 'process' or 'thread', got '"
                                    + mode
                                    + "'");
        };
    }

    private BatchInvoker<IN, OUT> ownWorker(Configuration options) {
        WorkerMetrics metrics = new WorkerMetrics();
        Supplier<ReplaceableInvoker<IN, OUT>> workers =
                () ->
                        new PythonProcessInvoker<>(
                                function, inputType, outputType, options, limits, metrics);
        if (restarts == null) {
            return workers.get();
        }
        return new RestartingInvoker<>(
                context -> {
                    // Held, or a restart would install the requirements of the job once more.
                    PythonEnvironment environment = new PythonEnvironment(options, context);
                    environment.open();
                    return environment;
                },
                workers,
                restarts,
                new RestartHistory(
                        restarts, System::nanoTime, () -> ThreadLocalRandom.current().nextDouble()),
                Executors.newSingleThreadScheduledExecutor(
                        new ExecutorThreadFactory(
                                "python-worker-" + function.className() + "-restarter")),
                () -> metrics.transport().restarted());
    }
}
