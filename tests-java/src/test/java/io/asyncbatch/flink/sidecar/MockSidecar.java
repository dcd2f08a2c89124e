package io.asyncbatch.flink.sidecar;

import com.google.protobuf.ByteString;
import io.asyncbatch.flink.proto.inference.InferParameter;
import io.asyncbatch.flink.proto.inference.ModelInferRequest;
import io.asyncbatch.flink.proto.inference.ModelInferResponse;
import io.asyncbatch.flink.proto.inference.ModelMetadataResponse;
import io.asyncbatch.flink.proto.inference.ModelMetadataResponse.TensorMetadata;
import io.asyncbatch.flink.proto.inference.ModelReadyResponse;
import io.asyncbatch.flink.proto.inference.ServerReadyResponse;
import io.asyncbatch.flink.proto.inference.SystemSharedMemoryRegisterRequest;
import io.asyncbatch.flink.proto.inference.SystemSharedMemoryRegisterResponse;
import io.asyncbatch.flink.proto.inference.SystemSharedMemoryUnregisterResponse;
import io.asyncbatch.flink.sidecar.channel.InferenceMethods;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyServerBuilder;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioServerDomainSocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.apache.flink.core.memory.MemoryUtils;

/**
 * A model server in this JVM whose model multiplies by ten, and which does anything else that a
 * test asks for. Answers in its own thread; told what to do by the test's.
 */
final class MockSidecar implements AutoCloseable {

    static final String MODEL = "times-ten";
    static final String INPUT = "x";
    static final String OUTPUT = "y";

    /** What becomes of an inference. */
    @FunctionalInterface
    interface Behaviour {
        void answer(Inference inference) throws Exception;
    }

    private final EventLoopGroup threads =
            new NioEventLoopGroup(1, new DefaultThreadFactory("mock-sidecar", true));
    private final Map<String, MappedByteBuffer> regions = new ConcurrentHashMap<>();
    private final List<FileChannel> regionFiles = new ArrayList<>();
    private final List<MappedByteBuffer> mapped = new ArrayList<>();
    private final AtomicInteger inFlight = new AtomicInteger();
    private final Server server;
    private final String endpoint;

    final List<Inference> inferences = new CopyOnWriteArrayList<>();
    final List<Metadata> headers = new CopyOnWriteArrayList<>();
    final AtomicInteger mostInFlight = new AtomicInteger();
    final AtomicInteger cancelled = new AtomicInteger();
    final AtomicInteger connections = new AtomicInteger();
    final AtomicInteger openConnections = new AtomicInteger();
    final List<String> versionsAskedFor = new CopyOnWriteArrayList<>();
    private final Map<String, AtomicInteger> asked = new ConcurrentHashMap<>();
    volatile Behaviour behaviour = Inference::compute;
    volatile boolean serverReady = true;
    volatile boolean modelReady = true;
    volatile Status modelReadyFailure;
    volatile boolean sharesMemory = true;
    volatile long outputRowLength = 1;

    private MockSidecar(NettyServerBuilder builder, String endpoint) throws IOException {
        this.server =
                builder.bossEventLoopGroup(threads)
                        .workerEventLoopGroup(threads)
                        .directExecutor()
                        .maxInboundMessageSize(256 * 1024 * 1024)
                        .permitKeepAliveTime(1, TimeUnit.SECONDS)
                        .addTransportFilter(new ConnectionCount())
                        .addService(service())
                        .build()
                        .start();
        this.endpoint = endpoint == null ? "127.0.0.1:" + server.getPort() : endpoint;
    }

    static MockSidecar onUnixSocket(Path socket) throws IOException {
        return new MockSidecar(
                NettyServerBuilder.forAddress(UnixDomainSocketAddress.of(socket))
                        .channelType(NioServerDomainSocketChannel.class),
                "unix://" + socket);
    }

    /** On a free port of the loopback address. */
    static MockSidecar onTcp() throws IOException {
        return onTcp(0);
    }

    static MockSidecar onTcp(int port) throws IOException {
        return new MockSidecar(tcp(port), null);
    }

    /** Encrypted, and only for clients with a certificate of that authority. */
    static MockSidecar onTls(File certificate, File key, File clientAuthority) throws Exception {
        var context =
                io.grpc.netty.GrpcSslContexts.configure(
                                io.netty.handler.ssl.SslContextBuilder.forServer(certificate, key),
                                io.netty.handler.ssl.SslProvider.JDK)
                        .trustManager(clientAuthority)
                        .clientAuth(io.netty.handler.ssl.ClientAuth.REQUIRE)
                        .build();
        return new MockSidecar(tcp(0).sslContext(context), null);
    }

    private static NettyServerBuilder tcp(int port) {
        return NettyServerBuilder.forAddress(
                        new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
                .channelType(NioServerSocketChannel.class);
    }

    String endpoint() {
        return endpoint;
    }

    int port() {
        return server.getPort();
    }

    SidecarOptions.Builder options() {
        return SidecarOptions.builder(endpoint, MODEL);
    }

    /** Keeps inferences without an answer from now on. */
    void hold() {
        behaviour = inference -> {};
    }

    /** Computes what is held, and what comes from now on. */
    void release() {
        behaviour = Inference::compute;
        inferences.forEach(Inference::compute);
    }

    /** How often a method was called. */
    int asked(String method) {
        return asked.getOrDefault(method, new AtomicInteger()).get();
    }

    /** Lets what is in flight finish, and takes nothing more. */
    void goAway() {
        server.shutdown();
    }

    int openRequests() {
        return inFlight.get();
    }

    /** A file that was registered, the first one being 0. */
    synchronized FileChannel regionFile(int index) {
        return regionFiles.get(index);
    }

    /** What a server that was restarted has done. */
    void forgetRegions() {
        regions.clear();
    }

    /** Ends at once, connections too. */
    @Override
    public void close() throws Exception {
        server.shutdownNow().awaitTermination(10, TimeUnit.SECONDS);
        threads.shutdownGracefully(0, 10, TimeUnit.SECONDS).await(10, TimeUnit.SECONDS);
        for (MappedByteBuffer region : mapped) {
            MemoryUtils.UNSAFE.invokeCleaner(region);
        }
        for (FileChannel file : regionFiles) {
            file.close();
        }
    }

    // --------------------------------------------------------------- service

    private ServerServiceDefinition service() {
        return ServerServiceDefinition.builder(InferenceMethods.SERVICE)
                .addMethod(
                        InferenceMethods.SERVER_READY,
                        replying(
                                request ->
                                        ServerReadyResponse.newBuilder()
                                                .setReady(serverReady)
                                                .build()))
                .addMethod(
                        InferenceMethods.MODEL_READY,
                        replying(
                                request -> {
                                    if (modelReadyFailure != null) {
                                        throw modelReadyFailure.asRuntimeException();
                                    }
                                    versionsAskedFor.add(request.getVersion());
                                    return ModelReadyResponse.newBuilder()
                                            .setReady(modelReady)
                                            .build();
                                }))
                .addMethod(InferenceMethods.MODEL_METADATA, replying(request -> metadata()))
                .addMethod(InferenceMethods.REGISTER_MEMORY, replying(this::register))
                .addMethod(
                        InferenceMethods.UNREGISTER_MEMORY,
                        replying(
                                request ->
                                        SystemSharedMemoryUnregisterResponse.getDefaultInstance()))
                .addMethod(
                        InferenceMethods.MODEL_INFER,
                        (call, headers) -> {
                            this.headers.add(headers);
                            return new Inference(call);
                        })
                .build();
    }

    private ModelMetadataResponse metadata() {
        return ModelMetadataResponse.newBuilder()
                .setName(MODEL)
                .addOutputs(
                        TensorMetadata.newBuilder()
                                .setName(OUTPUT)
                                .setDatatype("INT64")
                                .addShape(-1)
                                .addShape(outputRowLength))
                .build();
    }

    /** What a method answers at once; a status that it throws is the answer too. */
    private <Q, A> ServerCallHandler<Q, A> replying(Function<Q, A> answer) {
        return (call, headers) -> {
            asked.computeIfAbsent(
                            call.getMethodDescriptor().getBareMethodName(),
                            name -> new AtomicInteger())
                    .incrementAndGet();
            call.request(1);
            return new ServerCall.Listener<>() {
                @Override
                public void onMessage(Q request) {
                    try {
                        A told = answer.apply(request);
                        call.sendHeaders(new Metadata());
                        call.sendMessage(told);
                        call.close(Status.OK, new Metadata());
                    } catch (StatusRuntimeException refusal) {
                        call.close(refusal.getStatus(), new Metadata());
                    }
                }
            };
        };
    }

    private SystemSharedMemoryRegisterResponse register(SystemSharedMemoryRegisterRequest request) {
        if (!sharesMemory) {
            throw Status.UNIMPLEMENTED.asRuntimeException();
        }
        try {
            map(request);
        } catch (IOException e) {
            throw Status.INVALID_ARGUMENT.withDescription(e.toString()).asRuntimeException();
        }
        return SystemSharedMemoryRegisterResponse.getDefaultInstance();
    }

    /** Descriptors of the mapped files stay open: closing one would take the client's lock away. */
    private synchronized void map(SystemSharedMemoryRegisterRequest request) throws IOException {
        FileChannel file =
                FileChannel.open(
                        Path.of("/dev/shm" + request.getKey()),
                        StandardOpenOption.READ,
                        StandardOpenOption.WRITE);
        regionFiles.add(file);
        MappedByteBuffer region =
                file.map(MapMode.READ_WRITE, request.getOffset(), request.getByteSize());
        mapped.add(region);
        regions.put(request.getName(), region);
    }

    private final class ConnectionCount extends io.grpc.ServerTransportFilter {
        @Override
        public io.grpc.Attributes transportReady(io.grpc.Attributes attributes) {
            connections.incrementAndGet();
            openConnections.incrementAndGet();
            return attributes;
        }

        @Override
        public void transportTerminated(io.grpc.Attributes attributes) {
            openConnections.decrementAndGet();
        }
    }

    // ------------------------------------------------------------- inference

    /** One request for the model. Any thread may answer it, once. */
    final class Inference extends ServerCall.Listener<ModelInferRequest> {

        private final ServerCall<ModelInferRequest, ModelInferResponse> call;
        private boolean ended;
        volatile ModelInferRequest request;
        volatile boolean wasCancelled;

        private Inference(ServerCall<ModelInferRequest, ModelInferResponse> call) {
            this.call = call;
            call.request(1);
        }

        @Override
        public void onMessage(ModelInferRequest message) {
            request = message;
        }

        @Override
        public void onHalfClose() {
            mostInFlight.accumulateAndGet(inFlight.incrementAndGet(), Math::max);
            inferences.add(this);
            try {
                behaviour.answer(this);
            } catch (Exception e) {
                fail(Status.UNKNOWN.withDescription(e.toString()), new Metadata());
            }
        }

        @Override
        public void onCancel() {
            wasCancelled = true;
            cancelled.incrementAndGet();
            end();
        }

        private synchronized boolean end() {
            if (ended) {
                return false;
            }
            ended = true;
            inFlight.decrementAndGet();
            return true;
        }

        void compute() {
            try {
                ModelInferResponse answer = answer();
                if (answer != null) {
                    send(answer);
                }
            } catch (RuntimeException e) {
                fail(Status.UNKNOWN.withDescription(e.toString()), new Metadata());
            }
        }

        /** The right answer; null if a region is not known, which has then been said. */
        ModelInferResponse answer() {
            var input = request.getInputs(0);
            ByteBuffer values;
            if (input.containsParameters("shared_memory_region")) {
                values = region(input.getParametersMap());
                if (values == null) {
                    return null;
                }
            } else {
                values = request.getRawInputContents(0).asReadOnlyByteBuffer();
            }
            values.order(ByteOrder.LITTLE_ENDIAN);
            ByteBuffer tens =
                    ByteBuffer.allocate(values.remaining()).order(ByteOrder.LITTLE_ENDIAN);
            while (values.hasRemaining()) {
                tens.putLong(values.getLong() * 10);
            }
            tens.flip();
            ModelInferResponse.Builder answer = empty();
            var output =
                    answer.addOutputsBuilder()
                            .setName(OUTPUT)
                            .setDatatype("INT64")
                            .addAllShape(input.getShapeList());
            if (request.getOutputsCount() > 0
                    && request.getOutputs(0).containsParameters("shared_memory_region")) {
                ByteBuffer room = region(request.getOutputs(0).getParametersMap());
                if (room == null) {
                    return null;
                }
                room.put(tens);
                output.putAllParameters(request.getOutputs(0).getParametersMap());
            } else {
                answer.addRawOutputContents(ByteString.copyFrom(tens));
            }
            return answer.build();
        }

        /** An answer to this request without outputs. */
        ModelInferResponse.Builder empty() {
            return ModelInferResponse.newBuilder()
                    .setId(request.getId())
                    .setModelName(request.getModelName())
                    .setModelVersion(request.getModelVersion());
        }

        private ByteBuffer region(Map<String, InferParameter> parameters) {
            String name = parameters.get("shared_memory_region").getStringParam();
            MappedByteBuffer region = regions.get(name);
            if (region == null) {
                fail(
                        Status.NOT_FOUND.withDescription(
                                "Unable to find shared memory region: '" + name + "'"),
                        new Metadata());
                return null;
            }
            return region.slice(
                    (int) parameters.get("shared_memory_offset").getInt64Param(),
                    (int) parameters.get("shared_memory_byte_size").getInt64Param());
        }

        /** What is sent is small, and what it unpacks to is not. */
        void sendPacked(ModelInferResponse answer) {
            if (end()) {
                call.setCompression("gzip");
                call.sendHeaders(new Metadata());
                call.setMessageCompression(true);
                call.sendMessage(answer);
                call.close(Status.OK, new Metadata());
            }
        }

        void send(ModelInferResponse answer) {
            if (end()) {
                call.sendHeaders(new Metadata());
                call.sendMessage(answer);
                call.close(Status.OK, new Metadata());
            }
        }

        void fail(Status status, Metadata trailers) {
            if (end()) {
                call.close(status, trailers);
            }
        }
    }
}
