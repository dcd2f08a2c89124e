package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.arrow.BridgeAllocator;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.EarlyRows;
import io.asyncbatch.flink.invoker.InvokerContext;
import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import io.asyncbatch.flink.worker.memory.SharedMemory;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.CompletionStage;
import org.apache.beam.model.pipeline.v1.MetricsApi.MonitoringInfo;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.Configuration;

/**
 * Runs batches in one Python worker process of its own. A worker that fails or dies while it is
 * needed fails the task at once, or whatever its context does instead; see {@link
 * RestartingInvoker}.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class PythonProcessInvoker<IN, OUT> implements ReplaceableInvoker<IN, OUT> {

    private final PythonFunction function;
    private final TypeInformation<IN> inputType;
    private final TypeInformation<OUT> outputType;
    private final Configuration configuration;
    private final WorkerLimits limits;
    private final WorkerMetrics metrics;

    private BridgeAllocator allocator;
    private BatchExchange<IN, OUT> exchange;
    private PythonWorker worker;

    PythonProcessInvoker(
            PythonFunction function,
            TypeInformation<IN> inputType,
            TypeInformation<OUT> outputType,
            Configuration configuration,
            WorkerLimits limits,
            WorkerMetrics metrics) {
        this.function = function;
        this.inputType = inputType;
        this.outputType = outputType;
        this.configuration = configuration;
        this.limits = limits;
        this.metrics = metrics;
    }

    @Override
    public void open(InvokerContext context) throws Exception {
        String workerName =
                "python-worker-"
                        + function.className()
                        + "-"
                        + (context.runtimeContext().getTaskInfo().getIndexOfThisSubtask() + 1);
        // Each of its children has a bound of its own.
        allocator = new BridgeAllocator(workerName, Long.MAX_VALUE);
        exchange =
                new BatchExchange<>(function.className(), inputType, outputType, allocator, limits);
        metrics.register(context.runtimeContext().getMetricGroup());
        metrics.transport().starting(allocator, exchange.transport());
        worker =
                new PythonWorker(
                        function.className(),
                        workerName,
                        configuration,
                        limits,
                        context,
                        new WorkerListener(context));
        long startedNanos = System.nanoTime();
        worker.open(
                FunctionDescription.describe(
                        function, inputType, outputType, context.runtimeContext()),
                allocator.child("receive", limits.receiveMemoryBytes()));
        worker.sharedMemory().ifPresent(exchange::share);
        metrics.transport().ready(System.nanoTime() - startedNanos);
    }

    @Override
    public CompletionStage<BatchOutcome<OUT>> invoke(
            BatchRequest<IN> request, EarlyRows<OUT> early) {
        return exchange.send(FrameKind.INVOKE, request, early, worker.channel());
    }

    @Override
    public CompletionStage<BatchOutcome<OUT>> timeout(BatchRequest<IN> request) {
        return exchange.send(FrameKind.TIMEOUT, request, worker.channel());
    }

    @Override
    public void cancel(long batchId, int attempt) {
        exchange.cancel(batchId, attempt, worker.channel());
    }

    @Override
    public void kill(String why) {
        worker.kill(why);
    }

    private final class WorkerListener implements PythonWorker.Listener {

        private final InvokerContext context;

        private WorkerListener(InvokerContext context) {
            this.context = context;
        }

        @Override
        public void answered(FrameHeader header, ByteBuffer body) throws IOException {
            exchange.answered(header, body, worker.channel());
        }

        @Override
        public void released(FrameHeader header) throws IOException {
            exchange.released(header);
        }

        @Override
        public void failed(PythonBatchException failure) {
            metrics.transport().died();
            context.failTask(failure);
        }

        @Override
        public void died(PythonWorkerDiedException death) {
            metrics.transport().died();
            context.failTask(death);
            exchange.failAll(death);
        }

        @Override
        public int batchesInFlight() {
            return exchange.inFlight();
        }

        @Override
        public void measured(String transform, List<MonitoringInfo> infos) {
            metrics.measured(transform, infos);
        }
    }

    @Override
    public void close() throws Exception {
        ThoroughClose.closeAll(
                worker,
                this::failCalls,
                exchange,
                this::unmap,
                allocator,
                UserClassLoader::release);
    }

    /** A worker that was closed answers nothing any more, and nobody is told that it died. */
    private void failCalls() {
        metrics.transport().closed();
        if (exchange != null) {
            exchange.failAll(new IllegalStateException("the worker was closed"));
        }
    }

    /** After all that reads or writes there has ended. */
    private void unmap() {
        if (worker != null) {
            worker.sharedMemory().ifPresent(SharedMemory::close);
        }
    }
}
