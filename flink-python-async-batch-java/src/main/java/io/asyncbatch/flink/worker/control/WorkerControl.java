package io.asyncbatch.flink.worker.control;

import io.asyncbatch.flink.proto.UserDefinedAsyncBatchFunction;
import io.asyncbatch.flink.worker.process.WorkerProcess;
import io.asyncbatch.flink.worker.process.WorkerSecret;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BiConsumer;
import javax.annotation.Nullable;
import org.apache.beam.model.fnexecution.v1.BeamFnApi;
import org.apache.beam.model.pipeline.v1.MetricsApi.MonitoringInfo;
import org.apache.beam.model.pipeline.v1.RunnerApi.StandardEnvironments;
import org.apache.beam.runners.core.construction.BeamUrns;
import org.apache.beam.runners.core.construction.PipelineOptionsTranslation;
import org.apache.beam.runners.fnexecution.control.BundleProgressHandler;
import org.apache.beam.runners.fnexecution.control.DefaultJobBundleFactory;
import org.apache.beam.runners.fnexecution.control.JobBundleFactory;
import org.apache.beam.runners.fnexecution.control.RemoteBundle;
import org.apache.beam.runners.fnexecution.control.StageBundleFactory;
import org.apache.beam.runners.fnexecution.provisioning.JobInfo;
import org.apache.beam.runners.fnexecution.state.StateRequestHandler;
import org.apache.beam.sdk.fn.data.FnDataReceiver;
import org.apache.beam.sdk.options.PipelineOptions;
import org.apache.flink.annotation.Internal;
import org.apache.flink.util.ExceptionUtils;
import org.apache.flink.util.TemporaryClassLoaderContext;
import org.apache.flink.util.concurrent.ExecutorThreadFactory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One worker under Beam's control: its process, the servers that it talks to, and the one bundle
 * that is open while it lives. Opened and closed by the thread that owns the invoker.
 */
@Internal
public final class WorkerControl implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(WorkerControl.class);

    private static final long METRICS_INTERVAL_SECONDS = 5;
    private static final long BUNDLE_END_MILLIS = 3_000;
    private static final long HARNESS_END_MILLIS = 1_000;
    private static final long EXECUTOR_END_MILLIS = 1_000;

    private final String workerName;
    private final PipelineOptions pipelineOptions;
    @Nullable private final BiConsumer<String, List<MonitoringInfo>> metrics;
    private final ExecutorService executor;

    private LoopbackServerFactory servers;
    private WorkerEnvironmentFactory environment;
    private JobBundleFactory jobBundleFactory;
    private RemoteBundle bundle;
    private ScheduledExecutorService metricsPoll;

    /**
     * @param workerName names the worker in logs and threads
     * @param pipelineOptions log levels and the like, for the worker's harness
     * @param metrics takes the name of the transform and what the user's function has measured so
     *     far, on threads of the worker, one at a time; or null
     */
    public WorkerControl(
            String workerName,
            PipelineOptions pipelineOptions,
            @Nullable BiConsumer<String, List<MonitoringInfo>> metrics) {
        this.workerName = workerName;
        this.pipelineOptions = pipelineOptions;
        this.metrics = metrics;
        this.executor = Executors.newCachedThreadPool(threads(workerName + "-control"));
    }

    /** Threads whose errors are logged. By default Flink's end the whole TaskManager. */
    private static ThreadFactory threads(String name) {
        return new ExecutorThreadFactory(
                name, (thread, error) -> LOG.error("Thread {} failed", thread.getName(), error));
    }

    /**
     * Starts the worker process, waits for its harness and hands it the function.
     *
     * @param timeoutMillis how long the process may take until its harness has connected
     */
    public void open(
            WorkerCommand command, UserDefinedAsyncBatchFunction function, long timeoutMillis)
            throws Exception {
        String secret = WorkerSecret.random().hex();
        servers = new LoopbackServerFactory(secret, executor);
        environment =
                new WorkerEnvironmentFactory(workerName, command, secret, servers, timeoutMillis);
        // Beam finds its extensions by the context class loader, which is not the one of user jars.
        try (TemporaryClassLoaderContext ignored =
                TemporaryClassLoaderContext.of(getClass().getClassLoader())) {
            jobBundleFactory =
                    DefaultJobBundleFactory.create(
                            JobInfo.create(
                                    workerName,
                                    workerName,
                                    "",
                                    PipelineOptionsTranslation.toProto(pipelineOptions)),
                            Map.of(
                                    BeamUrns.getUrn(StandardEnvironments.Environments.PROCESS),
                                    environment));
            StageBundleFactory stage =
                    jobBundleFactory.forStage(AsyncBatchStage.describe(function));
            bundle =
                    stage.getBundle(
                            WorkerControl::refuseOutput,
                            StateRequestHandler.unsupported(),
                            metrics == null ? BundleProgressHandler.ignored() : metricsHandler());
            if (metrics != null) {
                pollMetrics(stage, bundle.getId());
            }
        } catch (RuntimeException e) {
            // Beam's cache wraps what the environment factory throws, more than once.
            throw ExceptionUtils.findThrowable(e, WorkerBootException.class)
                    .<Exception>map(boot -> boot)
                    .orElse(e);
        }
    }

    /** Threads that live as long as the worker. */
    public Executor executor() {
        return executor;
    }

    /** The worker's process, if it could be started. */
    public Optional<WorkerProcess> process() {
        return Optional.ofNullable(environment).map(WorkerEnvironmentFactory::process);
    }

    /**
     * Completes when the bundle has ended, which it must not before the worker is told to leave.
     * Exceptionally if it failed, with the worker's traceback.
     */
    public CompletableFuture<Void> bundleEnd() {
        return environment.harness().bundleEnd();
    }

    private static <T> FnDataReceiver<T> refuseOutput(String collection) {
        throw new IllegalStateException(
                "the ASYNC_BATCH transform has no output, but was asked for " + collection);
    }

    private BundleProgressHandler metricsHandler() {
        return new BundleProgressHandler() {
            @Override
            public void onProgress(BeamFnApi.ProcessBundleProgressResponse progress) {
                update(progress.getMonitoringInfosList());
            }

            @Override
            public void onCompleted(BeamFnApi.ProcessBundleResponse response) {
                update(response.getMonitoringInfosList());
            }
        };
    }

    private synchronized void update(List<MonitoringInfo> infos) {
        metrics.accept(AsyncBatchStage.TRANSFORM_ID, infos);
    }

    /**
     * Asks the harness for the metrics of the running bundle: Beam itself reports them only when a
     * bundle ends, which here is when the worker does.
     */
    private void pollMetrics(StageBundleFactory stage, String bundleId) {
        metricsPoll = Executors.newSingleThreadScheduledExecutor(threads(workerName + "-metrics"));
        metricsPoll.scheduleWithFixedDelay(
                () -> {
                    BeamFnApi.InstructionRequest request =
                            BeamFnApi.InstructionRequest.newBuilder()
                                    .setInstructionId("metrics-" + System.nanoTime())
                                    .setProcessBundleProgress(
                                            BeamFnApi.ProcessBundleProgressRequest.newBuilder()
                                                    .setInstructionId(bundleId))
                                    .build();
                    stage.getInstructionRequestHandler()
                            .handle(request)
                            .whenComplete(
                                    (response, failure) -> {
                                        if (failure != null) {
                                            LOG.debug("No metrics from {}", workerName, failure);
                                        } else {
                                            update(
                                                    response.getProcessBundleProgress()
                                                            .getMonitoringInfosList());
                                        }
                                    });
                },
                METRICS_INTERVAL_SECONDS,
                METRICS_INTERVAL_SECONDS,
                TimeUnit.SECONDS);
    }

    /**
     * Lets a worker whose user code has ended leave in order: ends its bundle, which brings its
     * last metrics, and its harness. What does not end in time is left to {@link #close}.
     */
    public void leave() throws Exception {
        if (bundle == null) {
            return;
        }
        CompletableFuture<Void> end = CompletableFuture.runAsync(this::endBundle, executor);
        try {
            end.get(BUNDLE_END_MILLIS, TimeUnit.MILLISECONDS);
            environment.harness().close();
            process().orElseThrow().awaitEnd(HARNESS_END_MILLIS);
        } catch (ExecutionException e) {
            LOG.debug("The bundle of {} ended with an error", workerName, e.getCause());
        } catch (TimeoutException e) {
            LOG.debug("The bundle of {} did not end within {} ms", workerName, BUNDLE_END_MILLIS);
        }
    }

    private void endBundle() {
        try {
            bundle.close();
        } catch (Exception e) {
            throw new CompletionException(e);
        }
    }

    /** Ends the process, by force if need be, then everything around it. Idempotent. */
    @Override
    public void close() throws Exception {
        if (metricsPoll != null) {
            metricsPoll.shutdownNow();
            metricsPoll = null;
        }
        // The process goes first: Beam's servers wait a minute for a client that is still there.
        try {
            Optional<WorkerProcess> process = process();
            if (process.isPresent()) {
                process.get().close();
            }
        } finally {
            environment = null;
            JobBundleFactory closing = jobBundleFactory;
            jobBundleFactory = null;
            try {
                if (closing != null) {
                    closing.close();
                }
            } finally {
                if (servers != null) {
                    servers.stop();
                }
                executor.shutdownNow();
                executor.awaitTermination(EXECUTOR_END_MILLIS, TimeUnit.MILLISECONDS);
            }
        }
    }
}
