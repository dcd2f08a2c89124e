package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.arrow.BridgeAllocator;
import io.asyncbatch.flink.arrow.ElementEncodingException;
import io.asyncbatch.flink.arrow.EncodedBatch;
import io.asyncbatch.flink.arrow.RecordBatchReader;
import io.asyncbatch.flink.arrow.RecordBatchWriter;
import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.InvokerContext;
import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import io.asyncbatch.flink.worker.channel.BatchChannel;
import io.asyncbatch.flink.worker.channel.ConnectionListener;
import io.asyncbatch.flink.worker.control.WorkerBootException;
import io.asyncbatch.flink.worker.control.WorkerControl;
import io.asyncbatch.flink.worker.process.WorkerProcess;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.python.metric.process.FlinkMetricContainer;
import org.apache.flink.streaming.api.utils.ClassLeakCleaner;
import org.apache.flink.util.ExceptionUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs batches in one Python worker process of its own.
 *
 * <p>The mailbox thread opens, encodes, sends and closes; the channel's thread decodes answers and
 * completes stages. A worker that ends or leaves the channel while it is needed fails the task at
 * once, with its exit status and the end of its output.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class PythonProcessInvoker<IN, OUT> implements BatchInvoker<IN, OUT> {

    private static final Logger LOG = LoggerFactory.getLogger(PythonProcessInvoker.class);

    /** Environment variable that hands the batch channel's token over, away from argv. */
    private static final String TOKEN_VARIABLE = "_ASYNC_BATCH_TOKEN";

    /** Environment variable that lets a worker remove the socket of a JVM that died meanwhile. */
    private static final String SOCKET_DIRECTORY_VARIABLE = "_ASYNC_BATCH_SOCKET_DIRECTORY";

    private static final int TOKEN_BYTES = 32;
    private static final long LIVENESS_CHECK_MILLIS = 100;

    /** How long the user's {@code close()} may take before the worker is ended by force. */
    private static final long SHUTDOWN_MILLIS = 3_000;

    /** A broken connection is nearly always the first sign of an exit that follows at once. */
    private static final long EXIT_STATUS_MILLIS = 2_000;

    private final PythonFunction function;
    private final TypeInformation<IN> inputType;
    private final TypeInformation<OUT> outputType;
    private final Configuration configuration;
    private final WorkerLimits limits;

    private final Map<PendingInvocation.Key, PendingInvocation<OUT>> pending =
            new ConcurrentHashMap<>();
    private final CompletableFuture<Void> ready = new CompletableFuture<>();
    private final CountDownLatch goodbye = new CountDownLatch(1);
    private final CountDownLatch channelClosed = new CountDownLatch(1);

    private InvokerContext context;
    private PythonEnvironment environment;
    private BridgeAllocator allocator;
    private RecordBatchWriter<IN> writer;
    private RecordBatchReader<OUT> reader;
    private ConnectionListener listener;
    private WorkerControl control;
    private BatchChannel channel;
    private volatile boolean closing;
    private final AtomicBoolean gone = new AtomicBoolean();

    PythonProcessInvoker(
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

    // ------------------------------------------------------------------------------------------
    // Start
    // ------------------------------------------------------------------------------------------

    @Override
    public void open(InvokerContext context) throws Exception {
        this.context = context;
        String workerName = workerName();

        // Batches in flight are bounded by the operator, each by a frame's size.
        allocator = new BridgeAllocator(workerName, Long.MAX_VALUE);
        writer = RecordBatchWriter.create(inputType, allocator.child("inputs", Long.MAX_VALUE));
        reader = RecordBatchReader.create(outputType, allocator.child("outputs", Long.MAX_VALUE));

        environment = new PythonEnvironment(configuration, context);
        environment.open();
        // From here: installing requirements is not the worker's time.
        long deadline = System.nanoTime() + limits.openTimeoutMillis() * 1_000_000;

        byte[] token = new byte[TOKEN_BYTES];
        new SecureRandom().nextBytes(token);
        listener = ConnectionListener.listen(socketDirectories(), token);
        control =
                new WorkerControl(
                        workerName,
                        environment.pipelineOptions(),
                        environment.metricsEnabled()
                                ? new FlinkMetricContainer(
                                        context.runtimeContext().getMetricGroup())
                                : null);
        control.open(
                environment.command(channelVariables(token)),
                FunctionDescription.describe(
                        function,
                        inputType,
                        outputType,
                        context.runtimeContext(),
                        listener,
                        limits.maxFrameBytes(),
                        environment.metricsEnabled()),
                millisUntil(deadline));

        connect(workerName, deadline);
        awaitReady(deadline);
    }

    private Map<String, String> channelVariables(byte[] token) {
        Map<String, String> variables = new HashMap<>();
        variables.put(TOKEN_VARIABLE, HexFormat.of().formatHex(token));
        listener.socketPath()
                .map(Path::getParent)
                .ifPresent(dir -> variables.put(SOCKET_DIRECTORY_VARIABLE, dir.toString()));
        return variables;
    }

    private String workerName() {
        return "python-worker-"
                + function.className()
                + "-"
                + (context.runtimeContext().getTaskInfo().getIndexOfThisSubtask() + 1);
    }

    private List<Path> socketDirectories() {
        return Stream.concat(
                        Stream.of(
                                context.taskEnvironment().getTaskManagerInfo().getTmpDirectories()),
                        Stream.of(System.getProperty("java.io.tmpdir"), "/tmp"))
                .map(Path::of)
                .distinct()
                .toList();
    }

    private void connect(String workerName, long deadline) throws Exception {
        WorkerProcess process = process();
        SocketChannel socket;
        try {
            socket = listener.accept(millisUntil(deadline), () -> checkBooting(process));
        } catch (TimeoutException e) {
            throw notReadyInTime(process);
        }
        channel =
                BatchChannel.start(
                        socket,
                        limits.maxFrameBytes(),
                        allocator.child("receive", Long.MAX_VALUE),
                        new AnswerListener(),
                        workerName + "-batches");
        // On threads of this worker: those of the JDK's own executors outlive it, and would keep
        // the
        // job's class loader alive.
        process.ended().thenRunAsync(this::processEnded, control.executor());
        control.bundleEnd()
                .whenCompleteAsync((ended, failure) -> workerGone(failure), control.executor());
    }

    /** The channel sees the end of a process too, unless a child of the process keeps it open. */
    private void processEnded() {
        try {
            channelClosed.await(EXIT_STATUS_MILLIS, TimeUnit.MILLISECONDS);
            workerGone(null);
        } catch (InterruptedException e) {
            // The worker is being closed.
            Thread.currentThread().interrupt();
        }
    }

    private void checkBooting(WorkerProcess process) throws WorkerBootException {
        if (!process.isAlive()) {
            throw new WorkerBootException("ended before it was ready", process);
        }
        if (control.bundleEnd().isDone()) {
            throw new WorkerBootException("failed before it was ready", process);
        }
    }

    private void awaitReady(long deadline) throws Exception {
        while (true) {
            try {
                ready.get(LIVENESS_CHECK_MILLIS, TimeUnit.MILLISECONDS);
                return;
            } catch (TimeoutException e) {
                if (millisUntil(deadline) <= 1) {
                    throw notReadyInTime(process());
                }
            } catch (ExecutionException e) {
                ExceptionUtils.rethrowException(e.getCause());
            }
        }
    }

    private WorkerBootException notReadyInTime(WorkerProcess process) {
        return new WorkerBootException(
                "was not ready within " + limits.openTimeoutMillis() + " ms (open_timeout)",
                process);
    }

    private WorkerProcess process() {
        return control.process().orElseThrow();
    }

    private static long millisUntil(long deadline) {
        return Math.max(1, (deadline - System.nanoTime()) / 1_000_000);
    }

    // ------------------------------------------------------------------------------------------
    // Batches
    // ------------------------------------------------------------------------------------------

    @Override
    public CompletionStage<BatchOutcome<OUT>> invoke(BatchRequest<IN> request) {
        return send(FrameKind.INVOKE, request);
    }

    @Override
    public CompletionStage<BatchOutcome<OUT>> timeout(BatchRequest<IN> request) {
        return send(FrameKind.TIMEOUT, request);
    }

    private CompletionStage<BatchOutcome<OUT>> send(FrameKind kind, BatchRequest<IN> request) {
        int rowCount = request.inputs().size();
        EncodedBatch body;
        try {
            body = writer.encode(request.inputs());
        } catch (ElementEncodingException e) {
            return CompletableFuture.completedFuture(BatchOutcome.failure(e));
        }
        if (body.byteCount() > limits.maxFrameBytes()) {
            IOException tooLarge = tooLarge(rowCount, body.byteCount());
            body.close();
            return CompletableFuture.completedFuture(BatchOutcome.failure(tooLarge));
        }

        PendingInvocation<OUT> invocation = new PendingInvocation<>(rowCount);
        pending.put(
                new PendingInvocation.Key(request.batchId(), request.attempt(), kind), invocation);
        channel.send(
                header(kind, request).setRowCount(rowCount).build(), body.buffers(), body::close);
        return invocation.outcome();
    }

    private IOException tooLarge(int rowCount, long bytes) {
        return new IOException(
                "A batch of "
                        + rowCount
                        + (rowCount == 1 ? " row" : " rows")
                        + " for "
                        + function.className()
                        + " is "
                        + bytes
                        + " bytes, more than the transport takes: max_frame_bytes="
                        + limits.maxFrameBytes());
    }

    private static FrameHeader.Builder header(FrameKind kind, BatchRequest<?> request) {
        return FrameHeader.newBuilder()
                .setKind(kind)
                .setBatchId(request.batchId())
                .setAttempt(request.attempt());
    }

    /** What the channel's thread does with what the worker sends. */
    private final class AnswerListener implements BatchChannel.Listener {

        @Override
        public void onFrame(FrameHeader header, ByteBuffer body) throws IOException {
            switch (header.getKind()) {
                case READY -> ready.complete(null);
                case RESULT, FAILURE -> answer(header, body);
                case GOODBYE -> goodbye.countDown();
                default ->
                        throw new IOException(
                                "a worker must not send a frame of kind " + header.getKind());
            }
        }

        @Override
        public void onClosed(@Nullable Throwable cause) {
            goodbye.countDown();
            channelClosed.countDown();
            workerGone(cause);
        }
    }

    private void answer(FrameHeader header, ByteBuffer body) {
        if (header.getBatchId() == 0) {
            PythonBatchException failure =
                    PythonBatchException.ofWorker(function.className(), header.getFailure());
            if (closing) {
                LOG.warn("{}", failure.getMessage());
            } else if (!ready.completeExceptionally(failure)) {
                context.failTask(failure);
            }
            return;
        }
        PendingInvocation<OUT> invocation =
                pending.remove(
                        new PendingInvocation.Key(
                                header.getBatchId(), header.getAttempt(), header.getAnswers()));
        if (invocation == null) {
            // It crossed the TIMEOUT that the worker has answered meanwhile.
            return;
        }
        if (header.getAnswers() == FrameKind.TIMEOUT) {
            // The invocation that timed out has been cancelled and will not be answered any more.
            pending.remove(
                    new PendingInvocation.Key(
                            header.getBatchId(), header.getAttempt(), FrameKind.INVOKE));
        }
        if (header.getKind() == FrameKind.FAILURE) {
            invocation
                    .outcome()
                    .complete(
                            BatchOutcome.failure(
                                    PythonBatchException.of(
                                            function.className(),
                                            header.getAnswers(),
                                            invocation.rowCount(),
                                            header.getFailure())));
        } else {
            invocation.outcome().complete(decode(header, body));
        }
    }

    private BatchOutcome<OUT> decode(FrameHeader header, ByteBuffer body) {
        try {
            return BatchOutcome.success(reader.read(body, header.getRowCount()));
        } catch (RuntimeException e) {
            return BatchOutcome.failure(e);
        }
    }

    // ------------------------------------------------------------------------------------------
    // End
    // ------------------------------------------------------------------------------------------

    private void workerGone(@Nullable Throwable cause) {
        if (closing || !gone.compareAndSet(false, true)) {
            return;
        }
        WorkerProcess process = process();
        try {
            process.awaitEnd(EXIT_STATUS_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        PythonWorkerDiedException death =
                new PythonWorkerDiedException(function.className(), pending.size(), process, cause);
        if (!ready.completeExceptionally(death)) {
            context.failTask(death);
        }
        List<PendingInvocation<OUT>> lost = new ArrayList<>(pending.values());
        pending.clear();
        lost.forEach(invocation -> invocation.outcome().completeExceptionally(death));
    }

    /**
     * Asks the worker to run the user's {@code close()} and ends it, by force if it does not answer
     * in time. What follows is done whether or not what went before succeeded.
     */
    @Override
    public void close() throws Exception {
        if (closing) {
            return;
        }
        closing = true;
        // A task that is being cancelled has been interrupted; the clean-up has its own bounds.
        boolean interrupted = Thread.interrupted();
        Throwable failure = null;
        for (AutoCloseable step : closingSteps()) {
            try {
                step.close();
            } catch (Throwable t) {
                failure = ExceptionUtils.firstOrSuppressed(t, failure);
            }
            interrupted |= Thread.interrupted();
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        if (failure != null) {
            ExceptionUtils.rethrowException(failure);
        }
    }

    private List<AutoCloseable> closingSteps() {
        return Stream.<AutoCloseable>of(
                        this::shutWorkerDown,
                        listener,
                        control,
                        channel,
                        writer,
                        reader,
                        allocator,
                        environment,
                        PythonProcessInvoker::releaseUserClassLoader)
                .filter(Objects::nonNull)
                .toList();
    }

    /**
     * Caches of the JDK keep the job's class loader alive, and with it tens of megabytes of
     * metaspace for every job of a session cluster. PyFlink's operators do the same when they are
     * closed.
     */
    private static void releaseUserClassLoader() throws ReflectiveOperationException {
        ClassLeakCleaner.cleanUpLeakingClasses(PythonProcessInvoker.class.getClassLoader());
    }

    private void shutWorkerDown() throws Exception {
        if (channel == null) {
            return;
        }
        channel.send(FrameHeader.newBuilder().setKind(FrameKind.SHUTDOWN).build());
        if (!goodbye.await(SHUTDOWN_MILLIS, TimeUnit.MILLISECONDS)) {
            LOG.warn(
                    "The Python worker of {} did not close within {} ms and is ended by force",
                    function.className(),
                    SHUTDOWN_MILLIS);
            return;
        }
        control.leave();
    }
}
