package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.invoker.InvokerContext;
import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import io.asyncbatch.flink.proto.UserDefinedAsyncBatchFunction;
import io.asyncbatch.flink.worker.thread.InterpreterThread;
import io.asyncbatch.flink.worker.thread.LoopPort;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.annotation.Nullable;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.python.PythonOptions;
import org.apache.flink.util.ExceptionUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Python in this JVM for one subtask, from its start to its end: its environment, and the thread in
 * the interpreter.
 *
 * <p>The mailbox thread opens and closes it. Neither waits for user code without a bound.
 */
final class PythonThread implements AutoCloseable {

    /** Told by the thread in the interpreter. */
    interface Listener {

        /** Python answered a batch; the struct at the address is valid during the call only. */
        void answered(FrameHeader header, long results);

        /** Python, which had become ready, failed in what belongs to no batch. */
        void failed(PythonBatchException failure);

        /** The loop, which had become ready, has ended. Called once, not after a close. */
        void died(PythonWorkerDiedException death);

        /** Batches that Python has yet to answer. */
        int batchesInFlight();
    }

    private static final Logger LOG = LoggerFactory.getLogger(PythonThread.class);

    /** How long the user's {@code close()} may take before the thread is left to itself. */
    private static final long SHUTDOWN_MILLIS = 3_000;

    private final String functionName;
    private final String threadName;
    private final Configuration configuration;
    private final WorkerLimits limits;
    private final InvokerContext context;
    private final InterpreterEnvironment environment;
    private final Listener listener;

    private final CompletableFuture<Void> ready = new CompletableFuture<>();
    private volatile boolean closing;

    private LoopPort port;
    private InterpreterThread interpreter;
    private boolean leftBehind;

    PythonThread(
            String functionName,
            String threadName,
            Configuration configuration,
            WorkerLimits limits,
            InvokerContext context,
            Listener listener) {
        this.functionName = functionName;
        this.threadName = threadName;
        this.configuration = configuration;
        this.limits = limits;
        this.context = context;
        this.environment = new InterpreterEnvironment(configuration, context);
        this.listener = listener;
    }

    // ------------------------------------------------------------------------------------------
    // Start
    // ------------------------------------------------------------------------------------------

    /**
     * Enters the interpreter and waits until the user's {@code open} has returned.
     *
     * @param function what it is to run
     */
    void open(UserDefinedAsyncBatchFunction.Builder function) throws Exception {
        environment.open();
        // From here: installing requirements is not the function's time.
        long deadline = System.nanoTime() + limits.openTimeoutMillis() * 1_000_000;

        boolean metricsEnabled = configuration.get(PythonOptions.PYTHON_METRIC_ENABLED);
        port =
                new LoopPort(
                        function.setChannel(FunctionDescription.describe(limits.maxFrameBytes()))
                                .setMetricsEnabled(metricsEnabled)
                                .build()
                                .toByteArray(),
                        metricsEnabled ? context.runtimeContext().getMetricGroup() : null,
                        environment.workingDirectory(),
                        this::answered);
        interpreter =
                new InterpreterThread(
                        threadName, environment.interpreterConfig(), port, this::ended);
        interpreter.start();
        awaitReady(deadline);
    }

    private void awaitReady(long deadline) throws Exception {
        try {
            ready.get(Math.max(1, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new IOException(
                    "The Python thread of "
                            + functionName
                            + " was not ready within "
                            + limits.openTimeoutMillis()
                            + " ms (open_timeout)");
        } catch (ExecutionException e) {
            ExceptionUtils.rethrowException(e.getCause());
        }
    }

    // ------------------------------------------------------------------------------------------
    // Life
    // ------------------------------------------------------------------------------------------

    /** Where batches go. Only after {@link #open}. */
    LoopPort port() {
        return port;
    }

    private void answered(FrameHeader header, long results) {
        switch (header.getKind()) {
            case READY -> ready.complete(null);
            case PART, RESULT, RETRY, FAILURE -> {
                if (header.getBatchId() == 0) {
                    failed(PythonBatchException.ofWorker(functionName, header.getFailure()));
                } else {
                    listener.answered(header, results);
                }
            }
            default ->
                    throw new IllegalStateException(
                            "Python must not answer by " + header.getKind());
        }
    }

    private void failed(PythonBatchException failure) {
        if (closing) {
            LOG.warn("{}", failure.getMessage());
        } else if (!ready.completeExceptionally(failure)) {
            listener.failed(failure);
        }
    }

    private void ended(@Nullable Throwable cause) {
        if (closing) {
            if (cause != null) {
                LOG.warn("The Python thread of {} ended with an error", functionName, cause);
            }
            return;
        }
        PythonWorkerDiedException death =
                new PythonWorkerDiedException(functionName, listener.batchesInFlight(), cause);
        if (!ready.completeExceptionally(death)) {
            listener.died(death);
        }
    }

    // ------------------------------------------------------------------------------------------
    // End
    // ------------------------------------------------------------------------------------------

    /**
     * Asks Python to run the user's {@code close()} and to leave, and waits for it for some
     * seconds. What does not leave in time stays, as a daemon thread, until user code lets it go.
     * Idempotent, and safe after a failed or interrupted {@link #open}.
     */
    @Override
    public void close() throws Exception {
        if (closing) {
            return;
        }
        closing = true;
        ThoroughClose.closeAll(this::shutDown, port, environment);
    }

    private void shutDown() throws InterruptedException {
        if (interpreter == null) {
            return;
        }
        port.submit(FrameHeader.newBuilder().setKind(FrameKind.SHUTDOWN).build(), null);
        if (!interpreter.awaitEnd(SHUTDOWN_MILLIS)) {
            leftBehind = true;
            LOG.error(
                    "The Python thread {} did not leave within {} ms: user code of {} still runs, and"
                            + " goes on running in this TaskManager until it returns. A thread cannot"
                            + " be ended by force; in process mode the worker would have been.",
                    threadName,
                    SHUTDOWN_MILLIS,
                    functionName);
        }
    }

    /** Whether the thread has stayed, and may still use what it was given. Only after a close. */
    boolean isLeftBehind() {
        return leftBehind;
    }
}
