package io.asyncbatch.flink.sidecar.channel;

import io.asyncbatch.flink.proto.inference.ModelMetadataRequest;
import io.asyncbatch.flink.proto.inference.SystemSharedMemoryRegisterRequest;
import io.asyncbatch.flink.proto.inference.SystemSharedMemoryUnregisterRequest;
import io.asyncbatch.flink.sidecar.SidecarException;
import io.asyncbatch.flink.sidecar.SidecarOptions;
import io.asyncbatch.flink.sidecar.Tensor;
import io.asyncbatch.flink.sidecar.memory.SharedMemoryPool;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One subtask's client of a model server: a connection that is made again when it is lost, and the
 * requests over it. Opened and closed by the task's thread; requests may be made by any.
 */
@Internal
public final class SidecarClient implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(SidecarClient.class);

    /** Tells clients apart that a server would take for one: over a Unix socket none has a name. */
    static final Metadata.Key<String> CLIENT =
            Metadata.Key.of("asyncbatch-client", Metadata.ASCII_STRING_MARSHALLER);

    /** What is asked beside the requests is answered soon or not worth waiting for. */
    private static final long SIDE_CALL_NANOS = TimeUnit.SECONDS.toNanos(5);

    private static final long UNREGISTER_SECONDS = 1;
    private static final Path SHARED_MEMORY = Path.of("/dev/shm");

    private final String id = UUID.randomUUID().toString();
    private final SidecarOptions options;
    private final SidecarMetrics metrics;
    private final Transport transport;
    private final BearerToken token;
    private final RequestSlots slots;
    private final RequestWriter writer;
    private final AnswerReader reader;
    @Nullable private final SharedMemoryPool memory;
    private final AtomicLong lastId = new AtomicLong();
    private volatile boolean closed;

    private SidecarClient(SidecarOptions options, SidecarMetrics metrics, Transport transport) {
        this.options = options;
        this.metrics = metrics;
        this.transport = transport;
        this.token = new BearerToken(options, System.getenv(), System::nanoTime);
        this.slots = new RequestSlots(options.maxInFlight());
        this.reader = new AnswerReader(options);
        this.memory =
                options.maxSharedMemoryBytes() == 0
                        ? null
                        : new SharedMemoryPool(
                                SHARED_MEMORY, options.maxSharedMemoryBytes(), new Registrar());
        this.writer = new RequestWriter(options, memory);
    }

    /**
     * Connects, and blocks until server and model are ready.
     *
     * @param userCode class loader of the codecs, which decode in the client's thread
     * @throws SidecarException if they are not within the ready timeout, or never will be
     */
    public static SidecarClient open(
            SidecarOptions options, SidecarMetrics metrics, ClassLoader userCode)
            throws SidecarException, InterruptedException {
        SidecarClient client =
                new SidecarClient(options, metrics, Transport.create(options, userCode));
        try {
            new ConnectionWatch(
                            client.transport.channel(),
                            client.transport.executor(),
                            options.maxReconnectDelay(),
                            metrics)
                    .start();
            new Readiness(client).await();
            client.shareMemory();
            return client;
        } catch (Throwable failure) {
            client.close();
            throw failure;
        }
    }

    /**
     * Prepares a request.
     *
     * @param inputs of the model
     * @param outputs that are wanted; all of the model's if empty
     */
    public PendingRequest request(
            List<Tensor> inputs, List<String> outputs, AnswerHandler handler) {
        return new InferRequest(
                this, Long.toString(lastId.incrementAndGet()), inputs, outputs, handler);
    }

    /**
     * Blocks until no request is open, or the time has passed.
     *
     * @return how many requests are still open
     */
    public int awaitIdle(Duration most) throws InterruptedException {
        return slots.awaitIdle(most.toNanos());
    }

    /** Ends all requests without reporting them, and everything that was opened. Idempotent. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        slots.clear();
        boolean interrupted = Thread.interrupted();
        unregisterMemory();
        boolean ended = transport.close();
        if (!ended) {
            LOG.warn("The thread of the client of {} did not end in time", options);
        }
        if (memory != null) {
            memory.close(ended);
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void shareMemory() throws InterruptedException {
        if (memory == null) {
            return;
        }
        metrics.sharedMemory(memory::takenBytes);
        try {
            // The registration has a deadline of its own.
            memory.start().get();
            if (memory.registered() != null) {
                writer.shareOutputs(
                        SharedOutputs.of(
                                unary(
                                                InferenceMethods.MODEL_METADATA,
                                                ModelMetadataRequest.newBuilder()
                                                        .setName(options.modelName())
                                                        .setVersion(
                                                                options.modelVersion().orElse(""))
                                                        .build(),
                                                SIDE_CALL_NANOS)
                                        .get()));
            }
        } catch (ExecutionException e) {
            LOG.info("Outputs of {} are not shared: {}", options, e.getCause().toString());
        }
    }

    /** Servers that do not look at our lock would keep the memory. */
    private void unregisterMemory() {
        String name = memory == null ? null : memory.registered();
        if (name == null) {
            return;
        }
        try {
            unregister(name).get(UNREGISTER_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            LOG.debug("{} did not unregister {}", options, name, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private CompletableFuture<?> unregister(String name) {
        return unary(
                InferenceMethods.UNREGISTER_MEMORY,
                SystemSharedMemoryUnregisterRequest.newBuilder().setName(name).build(),
                SIDE_CALL_NANOS);
    }

    // -------------------------------------------------- for the parts of a client

    SidecarOptions options() {
        return options;
    }

    SidecarMetrics metrics() {
        return metrics;
    }

    /**
     * The headers of a call.
     *
     * @throws SidecarException if there is no token where there should be one
     */
    Metadata headers() throws SidecarException {
        Metadata headers = token.headers();
        headers.put(CLIENT, id);
        return headers;
    }

    RequestSlots slots() {
        return slots;
    }

    RequestWriter writer() {
        return writer;
    }

    AnswerReader reader() {
        return reader;
    }

    /** Not null where a request was shared. */
    SharedMemoryPool memory() {
        return memory;
    }

    boolean isClosed() {
        return closed;
    }

    void replaceWornMemory() {
        if (memory != null && !closed) {
            memory.replaceIfWorn();
        }
    }

    /** Instead of waiting for gRPC's pause between attempts to end. */
    void connectAtOnce() {
        transport.channel().resetConnectBackoff();
    }

    <Q, A> UnaryCall<Q, A> newCall(
            MethodDescriptor<Q, A> method, long nanos, UnaryCall.Outcome<A> outcome) {
        return new UnaryCall<>(transport.channel(), method, nanos, options.toString(), outcome);
    }

    /** A call whose failure is a {@link SidecarException}. */
    <Q, A> CompletableFuture<A> unary(MethodDescriptor<Q, A> method, Q request, long nanos) {
        CompletableFuture<A> future = new CompletableFuture<>();
        UnaryCall<Q, A> call =
                newCall(
                        method,
                        nanos,
                        new UnaryCall.Outcome<>() {
                            @Override
                            public void onAnswer(A answer) {
                                future.complete(answer);
                            }

                            @Override
                            public void onFailure(SidecarException failure, Status status) {
                                future.completeExceptionally(failure);
                            }
                        });
        try {
            call.start(request, headers());
        } catch (SidecarException noToken) {
            future.completeExceptionally(noToken);
        }
        return future;
    }

    private final class Registrar implements SharedMemoryPool.Registrar {

        @Override
        public CompletionStage<Void> register(String name, String key, long bytes) {
            return unary(
                            InferenceMethods.REGISTER_MEMORY,
                            SystemSharedMemoryRegisterRequest.newBuilder()
                                    .setName(name)
                                    .setKey(key)
                                    .setByteSize(bytes)
                                    .build(),
                            SIDE_CALL_NANOS)
                    .thenApply(registered -> null);
        }

        @Override
        public void unregister(String name) {
            SidecarClient.this.unregister(name);
        }
    }
}
