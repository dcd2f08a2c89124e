package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchInvokerFactory;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.python.PythonOptions;

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

    /**
     * @param sharing how subtasks share a worker; null if each has its own
     */
    public PythonInvokerFactory(
            PythonFunction function,
            TypeInformation<IN> inputType,
            TypeInformation<OUT> outputType,
            SubmittedPythonConfiguration configuration,
            WorkerLimits limits,
            @Nullable WorkerSharing sharing) {
        this.function = function;
        this.inputType = inputType;
        this.outputType = outputType;
        this.configuration = configuration;
        this.limits = limits;
        this.sharing = sharing;
    }

    @Override
    public BatchInvoker<IN, OUT> createInvoker() {
        Configuration options = configuration.get();
        String mode = options.get(PythonOptions.PYTHON_EXECUTION_MODE);
        return switch (mode) {
            case "process" ->
                    sharing == null
                            ? new PythonProcessInvoker<>(
                                    function, inputType, outputType, options, limits)
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
}
