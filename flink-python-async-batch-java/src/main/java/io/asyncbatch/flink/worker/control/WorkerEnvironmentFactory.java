package io.asyncbatch.flink.worker.control;

import io.asyncbatch.flink.worker.process.WorkerProcess;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import javax.annotation.Nullable;
import org.apache.beam.model.pipeline.v1.RunnerApi;
import org.apache.beam.runners.fnexecution.artifact.ArtifactRetrievalService;
import org.apache.beam.runners.fnexecution.control.ControlClientPool;
import org.apache.beam.runners.fnexecution.control.FnApiControlClientPoolService;
import org.apache.beam.runners.fnexecution.control.InstructionRequestHandler;
import org.apache.beam.runners.fnexecution.environment.EnvironmentFactory;
import org.apache.beam.runners.fnexecution.environment.RemoteEnvironment;
import org.apache.beam.runners.fnexecution.logging.GrpcLoggingService;
import org.apache.beam.runners.fnexecution.provisioning.StaticGrpcProvisionService;
import org.apache.beam.sdk.fn.IdGenerator;
import org.apache.beam.sdk.fn.server.GrpcFnServer;
import org.apache.beam.sdk.fn.server.ServerFactory;

/**
 * Starts the worker process when Beam asks for the environment, and waits until its harness has
 * connected. Used by the thread that opens the worker.
 *
 * <p>Beam's own process factory keeps the process to itself; here its exit status, output and end
 * are the invoker's business.
 */
final class WorkerEnvironmentFactory implements EnvironmentFactory, EnvironmentFactory.Provider {

    /** Environment variable that hands the secret over; argv would show it to every user. */
    static final String SECRET_VARIABLE = "_ASYNC_BATCH_SECRET";

    private static final Duration NO_WAIT = Duration.ZERO;
    private static final long LIVENESS_CHECK_MILLIS = 50;

    private final String workerName;
    private final WorkerCommand command;
    private final String secret;
    private final ServerFactory serverFactory;
    private final long timeoutMillis;

    private String provisionEndpoint;
    private ControlClientPool.Source clients;
    private WatchedHarness harness;
    @Nullable private volatile WorkerProcess process;

    WorkerEnvironmentFactory(
            String workerName,
            WorkerCommand command,
            String secret,
            ServerFactory serverFactory,
            long timeoutMillis) {
        this.workerName = workerName;
        this.command = command;
        this.secret = secret;
        this.serverFactory = serverFactory;
        this.timeoutMillis = timeoutMillis;
    }

    /** The process, once it was started. */
    @Nullable
    WorkerProcess process() {
        return process;
    }

    @Override
    public ServerFactory getServerFactory() {
        return serverFactory;
    }

    @Override
    public EnvironmentFactory createEnvironmentFactory(
            GrpcFnServer<FnApiControlClientPoolService> controlServer,
            GrpcFnServer<GrpcLoggingService> loggingServer,
            GrpcFnServer<ArtifactRetrievalService> retrievalServer,
            GrpcFnServer<StaticGrpcProvisionService> provisioningServer,
            ControlClientPool clientPool,
            IdGenerator idGenerator) {
        provisionEndpoint = provisioningServer.getApiServiceDescriptor().getUrl();
        clients = clientPool.getSource();
        return this;
    }

    @Override
    public RemoteEnvironment createEnvironment(RunnerApi.Environment environment, String workerId)
            throws Exception {
        Map<String, String> variables = new HashMap<>(command.environment());
        variables.put(SECRET_VARIABLE, secret);
        WorkerProcess started =
                WorkerProcess.start(
                        workerName,
                        command.commandLine(workerId, provisionEndpoint),
                        variables,
                        command.workingDirectory());
        process = started;
        try {
            harness = new WatchedHarness(awaitHarness(workerId, started));
        } catch (Throwable t) {
            // Before Beam closes its servers, which wait a minute for a client that is still there.
            started.close();
            throw t;
        }
        return RemoteEnvironment.forHandler(environment, harness);
    }

    /** The harness in the process, once it has connected. */
    WatchedHarness harness() {
        return harness;
    }

    private InstructionRequestHandler awaitHarness(String workerId, WorkerProcess started)
            throws Exception {
        long deadline = System.nanoTime() + timeoutMillis * 1_000_000;
        while (true) {
            try {
                return clients.take(workerId, NO_WAIT);
            } catch (TimeoutException e) {
                // Beam's pool waits for whole seconds or not at all.
                if (started.awaitEnd(LIVENESS_CHECK_MILLIS)) {
                    throw new WorkerBootException("ended before it was ready", started);
                }
                if (System.nanoTime() - deadline >= 0) {
                    throw new WorkerBootException("did not connect within open_timeout", started);
                }
            }
        }
    }
}
