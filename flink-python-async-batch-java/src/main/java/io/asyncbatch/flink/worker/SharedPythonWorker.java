package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.arrow.BridgeAllocator;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.EarlyRows;
import io.asyncbatch.flink.invoker.InvokerContext;
import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import io.asyncbatch.flink.proto.UserDefinedAsyncBatchFunction;
import io.asyncbatch.flink.worker.memory.SharedMemory;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import javax.annotation.Nullable;
import org.apache.beam.model.pipeline.v1.MetricsApi.MonitoringInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.python.metric.process.FlinkMetricContainer;

/**
 * One worker process that several subtasks call, with what batches travel in. Thread-safe: each
 * caller belongs to its subtask's mailbox thread, the worker to nobody.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
final class SharedPythonWorker<IN, OUT> implements AutoCloseable {

    private final String functionName;
    private final BridgeAllocator allocator;
    private final BatchTransport<IN, OUT> transport;
    private final PythonWorker worker;
    private final TransportMetrics metrics = new TransportMetrics();
    private final Runnable retire;

    private final Map<Integer, Caller> callers = new ConcurrentHashMap<>();
    @Nullable private volatile Exception failure;

    // Guarded by this.
    private int lastCaller;
    @Nullable private volatile Caller reporter;

    /**
     * @param context of the subtask that starts it, used only here and in {@link #open}
     * @param retire to be called when no one should join any more
     */
    private SharedPythonWorker(
            String functionName,
            String workerName,
            TypeInformation<IN> inputType,
            TypeInformation<OUT> outputType,
            WorkerKey key,
            InvokerContext context,
            Runnable retire) {
        this.functionName = functionName;
        this.retire = retire;
        // Each of its children has a bound of its own.
        this.allocator = new BridgeAllocator(workerName, Long.MAX_VALUE);
        this.transport =
                new BatchTransport<>(functionName, inputType, outputType, allocator, key.limits());
        this.worker =
                new PythonWorker(
                        functionName,
                        workerName,
                        key.configuration(),
                        key.limits(),
                        context,
                        new WorkerListener());
    }

    /**
     * Starts a worker and waits until the user's {@code open} has returned. Leaves nothing behind
     * if that fails.
     *
     * @param context of the subtask that starts it
     * @param retire to be called, by any thread, when no one should join any more
     */
    static <IN, OUT> SharedPythonWorker<IN, OUT> start(
            String workerName,
            TypeInformation<IN> inputType,
            TypeInformation<OUT> outputType,
            WorkerKey key,
            InvokerContext context,
            Runnable retire)
            throws Exception {
        SharedPythonWorker<IN, OUT> shared =
                new SharedPythonWorker<>(
                        key.function().getFunctionName(),
                        workerName,
                        inputType,
                        outputType,
                        key,
                        context,
                        retire);
        try {
            shared.open(
                    key.function().toBuilder()
                            .setRuntimeContext(
                                    FunctionDescription.describe(context.runtimeContext())),
                    key.limits());
            return shared;
        } catch (Throwable t) {
            try {
                shared.close();
            } catch (Throwable second) {
                t.addSuppressed(second);
            }
            throw t;
        }
    }

    private void open(UserDefinedAsyncBatchFunction.Builder function, WorkerLimits limits)
            throws Exception {
        metrics.starting(allocator, transport);
        long startedNanos = System.nanoTime();
        worker.open(function, allocator.child("receive", limits.receiveMemoryBytes()));
        metrics.ready(System.nanoTime() - startedNanos);
        worker.sharedMemory().ifPresent(transport::share);
    }

    /**
     * Adds a caller, which leaves by {@link Caller#close}.
     *
     * @throws Exception if the worker has failed or died meanwhile
     */
    Caller join(InvokerContext context) throws Exception {
        Caller caller;
        synchronized (this) {
            caller = new Caller(++lastCaller, context);
            if (reporter == null) {
                reporter = caller;
            }
        }
        callers.put(caller.number, caller);
        Exception cause = failure;
        if (cause != null) {
            caller.close();
            throw cause;
        }
        metrics.register(context.runtimeContext().getMetricGroup(), () -> reporter == caller);
        return caller;
    }

    /** The worker must have no callers any more. */
    @Override
    public void close() throws Exception {
        ThoroughClose.closeAll(worker, transport, this::unmap, allocator);
    }

    /** After all that reads or writes there has ended. */
    private void unmap() {
        worker.sharedMemory().ifPresent(SharedMemory::close);
    }

    /** One subtask's batches. Used by its mailbox thread. */
    final class Caller implements AutoCloseable {

        private final int number;
        private final InvokerContext context;
        private final AwaitedBatches<OUT> awaited = new AwaitedBatches<>(functionName);
        private final FlinkMetricContainer metrics;

        private Caller(int number, InvokerContext context) {
            this.number = number;
            this.context = context;
            this.metrics = new FlinkMetricContainer(context.runtimeContext().getMetricGroup());
        }

        /**
         * Sends a batch.
         *
         * @param kind what the worker is to do with it: {@code INVOKE} or {@code TIMEOUT}
         * @param early takes rows whose outcome is known before that of the others, in the
         *     channel's thread; null if nobody does
         * @return completed by any thread; exceptionally only if the worker is broken
         */
        CompletionStage<BatchOutcome<OUT>> send(
                FrameKind kind, BatchRequest<IN> request, @Nullable EarlyRows<OUT> early) {
            FrameHeader header =
                    AwaitedBatches.header(kind, request).toBuilder().setCaller(number).build();
            CompletionStage<BatchOutcome<OUT>> outcome = awaited.add(header, early);
            transport.send(
                    header,
                    request.inputs(),
                    worker.channel(),
                    refusal -> awaited.refused(header, refusal));
            return outcome;
        }

        /** Has the worker cancel an invocation that it has not answered. */
        void cancel(long batchId, int attempt) {
            FrameHeader cancel = awaited.cancelled(batchId, attempt);
            if (cancel != null) {
                transport.cancel(cancel.toBuilder().setCaller(number).build(), worker.channel());
            }
        }

        /** Leaves the worker: batches that it still has are cancelled. Idempotent. */
        @Override
        public void close() {
            if (callers.remove(number) == null) {
                return;
            }
            transport.withdraw(number);
            worker.channel()
                    .send(
                            FrameHeader.newBuilder()
                                    .setKind(FrameKind.CANCEL)
                                    .setCaller(number)
                                    .build());
            handReportingOver();
        }

        /** The last caller keeps it: the worker's last metrics come when it is closed. */
        private void handReportingOver() {
            synchronized (SharedPythonWorker.this) {
                if (reporter == this) {
                    callers.values().stream().findAny().ifPresent(next -> reporter = next);
                }
            }
        }
    }

    private final class WorkerListener implements PythonWorker.Listener {

        @Override
        public void answered(FrameHeader header, ByteBuffer body) throws IOException {
            Caller caller = callers.get(header.getCaller());
            transport.answered(
                    header, body, worker.channel(), caller == null ? null : caller.awaited);
        }

        @Override
        public void released(FrameHeader header) throws IOException {
            transport.released(header);
        }

        @Override
        public void failed(PythonBatchException cause) {
            breakDown(cause);
        }

        @Override
        public void died(PythonWorkerDiedException death) {
            // Two would be one model too many; this one's last user may leave late.
            worker.endProcess();
            breakDown(death);
            callers.values().forEach(caller -> caller.awaited.failAll(death));
        }

        private void breakDown(Exception cause) {
            metrics.died();
            // In this order: tasks that fail may come back at once.
            retire.run();
            failure = cause;
            callers.values().forEach(caller -> caller.context.failTask(cause));
        }

        @Override
        public int batchesInFlight() {
            return callers.values().stream().mapToInt(caller -> caller.awaited.count()).sum();
        }

        @Override
        public void measured(String transform, List<MonitoringInfo> infos) {
            Caller reporting = reporter;
            if (reporting != null) {
                reporting.metrics.updateMetrics(transform, infos);
            }
        }
    }
}
