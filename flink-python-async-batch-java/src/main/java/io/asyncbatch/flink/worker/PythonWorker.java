package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.invoker.InvokerContext;
import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import io.asyncbatch.flink.proto.SharedMemoryOffer;
import io.asyncbatch.flink.proto.UserDefinedAsyncBatchFunction;
import io.asyncbatch.flink.worker.channel.BatchChannel;
import io.asyncbatch.flink.worker.channel.ConnectionListener;
import io.asyncbatch.flink.worker.control.WorkerBootException;
import io.asyncbatch.flink.worker.control.WorkerControl;
import io.asyncbatch.flink.worker.memory.SharedMemory;
import io.asyncbatch.flink.worker.process.WorkerProcess;
import io.asyncbatch.flink.worker.process.WorkerSecret;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import javax.annotation.Nullable;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.beam.model.pipeline.v1.MetricsApi.MonitoringInfo;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.util.ExceptionUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One worker process from its start to its end: its environment, Beam's control of it and its batch
 * channel.
 *
 * <p>The mailbox thread opens and closes it. That it ends or leaves the channel while it is needed
 * is seen at once, by whichever thread learns of it first.
 */
final class PythonWorker implements AutoCloseable {

    /** Told by the channel's thread, or by one of the worker's own, what the worker did. */
    interface Listener {

        /** The worker answered a batch; the body is valid during the call only. */
        void answered(FrameHeader header, ByteBuffer body) throws IOException;

        /** The worker reads a body in shared memory no more. */
        void released(FrameHeader header) throws IOException;

        /** The worker, which had become ready, failed in what belongs to no batch. */
        void failed(PythonBatchException failure);

        /** The worker, which had become ready, is no more. Called once, not after a close. */
        void died(PythonWorkerDiedException death);

        /** Batches that the worker has yet to answer. */
        int batchesInFlight();

        /**
         * What the user's function has measured so far. Called by one of the worker's own threads,
         * one at a time.
         */
        void measured(String transform, List<MonitoringInfo> infos);
    }

    private static final Logger LOG = LoggerFactory.getLogger(PythonWorker.class);

    /** Environment variable that hands the batch channel's token over, away from argv. */
    private static final String TOKEN_VARIABLE = "_ASYNC_BATCH_TOKEN";

    /** Environment variable that lets a worker remove the socket of a JVM that died meanwhile. */
    private static final String SOCKET_DIRECTORY_VARIABLE = "_ASYNC_BATCH_SOCKET_DIRECTORY";

    private static final long LIVENESS_CHECK_MILLIS = 100;

    /** How long the user's {@code close()} may take before the worker is ended by force. */
    private static final long SHUTDOWN_MILLIS = 3_000;

    /** A broken connection is nearly always the first sign of an exit that follows at once. */
    private static final long EXIT_STATUS_MILLIS = 2_000;

    private final String functionName;
    private final String workerName;
    private final WorkerLimits limits;
    private final List<Path> socketDirectories;
    private final PythonEnvironment environment;
    private final GpuShare gpus;
    private final Listener listener;

    private final CompletableFuture<FrameHeader> ready = new CompletableFuture<>();
    private final CountDownLatch goodbye = new CountDownLatch(1);
    private final CountDownLatch channelClosed = new CountDownLatch(1);
    private final AtomicBoolean gone = new AtomicBoolean();
    private final Heartbeats heartbeats;
    private volatile boolean closing;

    /** Why this side has ended it; null as long as it has not. */
    @Nullable private volatile String endedBecause;

    private ConnectionListener connections;
    private WorkerControl control;
    private BatchChannel channel;
    @Nullable private SharedMemory sharedMemory;

    PythonWorker(
            String functionName,
            String workerName,
            Configuration configuration,
            WorkerLimits limits,
            InvokerContext context,
            Listener listener) {
        // The context is not kept: a worker may outlive the subtask that it belongs to.
        this.functionName = functionName;
        this.workerName = workerName;
        this.limits = limits;
        this.socketDirectories = socketDirectories(context);
        this.environment = new PythonEnvironment(configuration, context);
        this.gpus = GpuShare.of(limits.gpus(), context);
        this.listener = listener;
        this.heartbeats =
                new Heartbeats(
                        limits.stallTimeoutMillis(),
                        () ->
                                kill(
                                        "its event loop has been blocked, or its process stopped,"
                                                + " for more than "
                                                + limits.stallTimeoutMillis()
                                                + " ms (stall_timeout)"));
    }

    // ------------------------------------------------------------------------------------------
    // Start
    // ------------------------------------------------------------------------------------------

    /**
     * Starts the worker and waits until the user's {@code open} has returned.
     *
     * @param function what it is to run; the worker adds what only it knows
     * @param receiveAllocator for what the worker sends
     */
    void open(UserDefinedAsyncBatchFunction.Builder function, BufferAllocator receiveAllocator)
            throws Exception {
        environment.open();
        // From here: installing requirements is not the worker's time.
        long deadline = System.nanoTime() + limits.openTimeoutMillis() * 1_000_000;

        WorkerSecret token = WorkerSecret.random();
        connections = ConnectionListener.listen(socketDirectories, token.bytes());
        control =
                new WorkerControl(
                        workerName,
                        environment.pipelineOptions(),
                        environment.metricsEnabled() ? listener::measured : null);
        control.open(
                environment.command(workerVariables(token)),
                function.setChannel(FunctionDescription.describe(connections, limits))
                        .setMetricsEnabled(environment.metricsEnabled())
                        .setStallTimeoutMillis(limits.stallTimeoutMillis())
                        .setHeartbeatIntervalMillis(
                                Heartbeats.intervalMillis(limits.stallTimeoutMillis()))
                        .build(),
                millisUntil(deadline));

        connect(receiveAllocator, deadline);
        FrameHeader readyHeader = awaitReady(deadline);
        heartbeats.start(workerName);
        mapSharedMemory(readyHeader);
    }

    private Map<String, String> workerVariables(WorkerSecret token) {
        Map<String, String> variables = new HashMap<>(gpus.variables());
        variables.put(TOKEN_VARIABLE, token.hex());
        connections
                .socketPath()
                .map(Path::getParent)
                .ifPresent(dir -> variables.put(SOCKET_DIRECTORY_VARIABLE, dir.toString()));
        return variables;
    }

    private static List<Path> socketDirectories(InvokerContext context) {
        return Stream.concat(
                        Stream.of(
                                context.taskEnvironment().getTaskManagerInfo().getTmpDirectories()),
                        Stream.of(System.getProperty("java.io.tmpdir"), "/tmp"))
                .map(Path::of)
                .distinct()
                .toList();
    }

    private void connect(BufferAllocator receiveAllocator, long deadline) throws Exception {
        WorkerProcess process = process();
        SocketChannel socket;
        try {
            socket = connections.accept(millisUntil(deadline), () -> checkBooting(process));
        } catch (TimeoutException e) {
            throw notReadyInTime(process);
        }
        channel =
                BatchChannel.start(
                        socket,
                        limits.maxFrameBytes(),
                        receiveAllocator,
                        new FrameListener(),
                        workerName + "-batches");
        // On the worker's own threads: those of the JDK's executors outlive the job, and would
        // keep its class loader alive.
        process.ended().thenRunAsync(this::processEnded, control.executor());
        control.bundleEnd().whenCompleteAsync((end, failure) -> gone(failure), control.executor());
    }

    /** The channel sees the end of a process too, unless a child of the process keeps it open. */
    private void processEnded() {
        try {
            channelClosed.await(EXIT_STATUS_MILLIS, TimeUnit.MILLISECONDS);
            gone(null);
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

    private FrameHeader awaitReady(long deadline) throws Exception {
        while (true) {
            try {
                return ready.get(LIVENESS_CHECK_MILLIS, TimeUnit.MILLISECONDS);
            } catch (TimeoutException e) {
                if (millisUntil(deadline) <= 1) {
                    throw notReadyInTime(process());
                }
            } catch (ExecutionException e) {
                ExceptionUtils.rethrowException(e.getCause());
            }
        }
    }

    /** Without it, as where there is no /proc, large bodies are as slow as small ones. */
    private void mapSharedMemory(FrameHeader readyHeader) {
        if (!readyHeader.hasSharedMemory()) {
            return;
        }
        SharedMemoryOffer offer = readyHeader.getSharedMemory();
        try {
            sharedMemory =
                    SharedMemory.map(
                            offer.getPid(),
                            offer.getInputsFd(),
                            offer.getResultsFd(),
                            limits.sharedMemoryBytes(),
                            limits.sharedMemoryThreshold());
        } catch (IOException e) {
            LOG.warn(
                    "{} shares no memory with its worker; all batches use the socket",
                    functionName,
                    e);
            return;
        }
        channel.send(FrameHeader.newBuilder().setKind(FrameKind.MAPPED).build());
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
    // Life
    // ------------------------------------------------------------------------------------------

    /** Where batches go. Only after {@link #open}. */
    BatchChannel channel() {
        return channel;
    }

    /**
     * Kills the process, and has its death tell why. Any thread may call, after {@link #open}.
     *
     * @param why completes "It was ended:"
     */
    void kill(String why) {
        if (closing || gone.get()) {
            return;
        }
        control.process()
                .filter(WorkerProcess::isAlive)
                .ifPresent(
                        process -> {
                            endedBecause = why;
                            process.kill();
                        });
    }

    /** Ends the process, if it has only left its channel. Any thread may ask, after the death. */
    void endProcess() {
        try {
            if (process().isAlive()) {
                process().close();
            }
        } catch (IOException e) {
            LOG.warn("{}", e.getMessage());
        }
    }

    /** What both processes map, if they do. Only after {@link #open}; who uses it closes it. */
    Optional<SharedMemory> sharedMemory() {
        return Optional.ofNullable(sharedMemory);
    }

    /** What the channel's thread does with what the worker sends. */
    private final class FrameListener implements BatchChannel.Listener {

        @Override
        public void onFrame(FrameHeader header, ByteBuffer body) throws IOException {
            heartbeats.heard();
            switch (header.getKind()) {
                case HEARTBEAT -> {
                    // It has been heard.
                }
                case READY -> ready.complete(header);
                case RELEASE -> listener.released(header);
                case PART, RESULT, RETRY, FAILURE -> {
                    if (header.getBatchId() == 0) {
                        failed(PythonBatchException.ofWorker(functionName, header.getFailure()));
                    } else {
                        listener.answered(header, body);
                    }
                }
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
            gone(cause);
        }
    }

    private void failed(PythonBatchException failure) {
        if (closing) {
            LOG.warn("{}", failure.getMessage());
        } else if (!ready.completeExceptionally(failure)) {
            listener.failed(failure);
        }
    }

    private void gone(@Nullable Throwable cause) {
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
                new PythonWorkerDiedException(
                        functionName, listener.batchesInFlight(), process, endedBecause, cause);
        if (!ready.completeExceptionally(death)) {
            listener.died(death);
        }
    }

    // ------------------------------------------------------------------------------------------
    // End
    // ------------------------------------------------------------------------------------------

    /**
     * Asks the worker to run the user's {@code close()} and ends it, by force if it does not answer
     * in time. Idempotent, and safe after a failed or interrupted {@link #open}.
     */
    @Override
    public void close() throws Exception {
        if (closing) {
            return;
        }
        closing = true;
        ThoroughClose.closeAll(
                heartbeats, this::shutDown, connections, control, gpus, channel, environment);
    }

    private void shutDown() throws Exception {
        if (channel == null) {
            return;
        }
        channel.send(FrameHeader.newBuilder().setKind(FrameKind.SHUTDOWN).build());
        if (!goodbye.await(SHUTDOWN_MILLIS, TimeUnit.MILLISECONDS)) {
            LOG.warn(
                    "The Python worker of {} did not close within {} ms and is ended by force",
                    functionName,
                    SHUTDOWN_MILLIS);
            return;
        }
        control.leave();
    }
}
