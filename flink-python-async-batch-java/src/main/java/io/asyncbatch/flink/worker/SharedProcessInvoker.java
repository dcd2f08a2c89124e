package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.EarlyRows;
import io.asyncbatch.flink.invoker.InvokerContext;
import io.asyncbatch.flink.proto.FrameKind;
import io.asyncbatch.flink.worker.shared.SharedResources;
import java.util.concurrent.CompletionStage;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.Configuration;

/**
 * Runs batches in the Python worker process that all subtasks of the operator in this TaskManager
 * share. When it fails or dies, the tasks of all of them fail, and start one new worker between
 * them as they come back.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class SharedProcessInvoker<IN, OUT> implements BatchInvoker<IN, OUT> {

    /**
     * Those of this JVM, or of the job whose class loader has loaded this class. Workers are never
     * shared between jobs, which are part of the key.
     */
    private static final SharedResources<WorkerKey, SharedPythonWorker<?, ?>> WORKERS =
            new SharedResources<>();

    private final PythonFunction function;
    private final TypeInformation<IN> inputType;
    private final TypeInformation<OUT> outputType;
    private final Configuration configuration;
    private final WorkerLimits limits;
    private final WorkerSharing sharing;

    private SharedResources<WorkerKey, SharedPythonWorker<?, ?>>.Lease lease;
    private SharedPythonWorker<IN, OUT>.Caller caller;

    SharedProcessInvoker(
            PythonFunction function,
            TypeInformation<IN> inputType,
            TypeInformation<OUT> outputType,
            Configuration configuration,
            WorkerLimits limits,
            WorkerSharing sharing) {
        this.function = function;
        this.inputType = inputType;
        this.outputType = outputType;
        this.configuration = configuration;
        this.limits = limits;
        this.sharing = sharing;
    }

    @Override
    public void open(InvokerContext context) throws Exception {
        WorkerKey key =
                new WorkerKey(
                        context.runtimeContext().getJobInfo().getJobId(),
                        context.runtimeContext().getOperatorUniqueID(),
                        FunctionDescription.describe(function, inputType, outputType)
                                .setCallMerging(sharing.describe())
                                .build(),
                        configuration,
                        limits);
        String workerName = "python-worker-" + function.className() + "-shared";
        lease =
                WORKERS.acquire(
                        key,
                        workerName + "-start",
                        retire ->
                                SharedPythonWorker.start(
                                        workerName, inputType, outputType, key, context, retire));
        caller = sharedWorker(lease).join(context);
    }

    /** The key says that it is one of these types. */
    @SuppressWarnings("unchecked")
    private SharedPythonWorker<IN, OUT> sharedWorker(
            SharedResources<WorkerKey, SharedPythonWorker<?, ?>>.Lease lease) throws Exception {
        return (SharedPythonWorker<IN, OUT>) lease.get();
    }

    @Override
    public CompletionStage<BatchOutcome<OUT>> invoke(
            BatchRequest<IN> request, EarlyRows<OUT> early) {
        return caller.send(FrameKind.INVOKE, request, early);
    }

    @Override
    public CompletionStage<BatchOutcome<OUT>> timeout(BatchRequest<IN> request) {
        return caller.send(FrameKind.TIMEOUT, request, null);
    }

    @Override
    public void cancel(long batchId, int attempt) {
        caller.cancel(batchId, attempt);
    }

    @Override
    public void close() throws Exception {
        ThoroughClose.closeAll(caller, lease, UserClassLoader::release);
    }
}
