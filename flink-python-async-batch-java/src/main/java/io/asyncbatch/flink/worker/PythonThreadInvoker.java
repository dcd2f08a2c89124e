package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.arrow.BridgeAllocator;
import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.EarlyRows;
import io.asyncbatch.flink.invoker.InvokerContext;
import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import java.util.concurrent.CompletionStage;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.Configuration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs batches in the Python interpreter of this JVM, on a thread of its own. The interpreter, its
 * lock and its modules are shared by all subtasks of the process.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class PythonThreadInvoker<IN, OUT> implements BatchInvoker<IN, OUT> {

    private static final Logger LOG = LoggerFactory.getLogger(PythonThreadInvoker.class);

    private final PythonFunction function;
    private final TypeInformation<IN> inputType;
    private final TypeInformation<OUT> outputType;
    private final Configuration configuration;
    private final WorkerLimits limits;

    private BridgeAllocator inputs;
    private BridgeAllocator outputs;
    private CDataExchange<IN, OUT> exchange;
    private PythonThread python;

    PythonThreadInvoker(
            PythonFunction function,
            TypeInformation<IN> inputType,
            TypeInformation<OUT> outputType,
            Configuration configuration,
            WorkerLimits limits) {
        this.function = function;
        this.inputType = inputType;
        this.outputType = outputType;
        this.configuration = configuration;
        this.limits = limits;
    }

    @Override
    public void open(InvokerContext context) throws Exception {
        String threadName =
                "python-thread-"
                        + function.className()
                        + "-"
                        + (context.runtimeContext().getTaskInfo().getIndexOfThisSubtask() + 1);
        // Their children have the bounds.
        inputs = new BridgeAllocator(threadName + "/inputs", Long.MAX_VALUE);
        outputs = new BridgeAllocator(threadName + "/outputs", Long.MAX_VALUE);
        exchange =
                new CDataExchange<>(
                        function.className(),
                        inputType,
                        outputType,
                        inputs.child("batches", limits.inputMemoryBytes()),
                        outputs.child("batches", limits.resultMemoryBytes()),
                        limits);
        python =
                new PythonThread(
                        function.className(),
                        threadName,
                        configuration,
                        limits,
                        context,
                        new AnswerListener(context));
        python.open(
                FunctionDescription.describe(
                        function, inputType, outputType, context.runtimeContext()));
    }

    @Override
    public CompletionStage<BatchOutcome<OUT>> invoke(
            BatchRequest<IN> request, EarlyRows<OUT> early) {
        return exchange.send(FrameKind.INVOKE, request, early, python.port());
    }

    @Override
    public CompletionStage<BatchOutcome<OUT>> timeout(BatchRequest<IN> request) {
        return exchange.send(FrameKind.TIMEOUT, request, python.port());
    }

    @Override
    public void cancel(long batchId, int attempt) {
        exchange.cancel(batchId, attempt, python.port());
    }

    private final class AnswerListener implements PythonThread.Listener {

        private final InvokerContext context;

        private AnswerListener(InvokerContext context) {
            this.context = context;
        }

        @Override
        public void answered(FrameHeader header, long results) {
            exchange.answered(header, results);
        }

        @Override
        public void failed(PythonBatchException failure) {
            context.failTask(failure);
        }

        @Override
        public void died(PythonWorkerDiedException death) {
            context.failTask(death);
            exchange.failAll(death);
        }

        @Override
        public int batchesInFlight() {
            return exchange.inFlight();
        }
    }

    @Override
    public void close() throws Exception {
        ThoroughClose.closeAll(python, this::closeMemory, UserClassLoader::release);
    }

    private void closeMemory() throws Exception {
        if (python != null && python.isLeftBehind()) {
            // Memory that a thread may still use stays valid, and is freed when it is given back.
            return;
        }
        ThoroughClose.closeAll(exchange, outputs, this::closeInputs);
    }

    private void closeInputs() {
        if (inputs == null) {
            return;
        }
        long kept = inputs.allocatedBytes();
        if (kept > 0) {
            LOG.warn(
                    "User code of {} keeps {} bytes of batches after its end; they are freed when it"
                            + " lets them go",
                    function.className(),
                    kept);
            return;
        }
        inputs.close();
    }
}
