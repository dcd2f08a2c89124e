package io.asyncbatch.flink.worker.control;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import org.apache.beam.model.pipeline.v1.Endpoints.ApiServiceDescriptor;
import org.apache.beam.sdk.fn.server.GrpcContextHeaderAccessorProvider;
import org.apache.beam.sdk.fn.server.ServerFactory;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.BindableService;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.Metadata;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.Server;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.ServerCall;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.ServerCallHandler;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.ServerInterceptor;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.ServerInterceptors;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.Status;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.netty.NettyServerBuilder;

/**
 * Makes the Beam servers of one worker: bound to 127.0.0.1 and closed to whoever does not send the
 * worker's secret. Thread-safe.
 *
 * <p>Beam's own factory advertises a loopback address but binds to every interface, without any
 * authentication.
 */
final class LoopbackServerFactory extends ServerFactory {

    /** Header that carries the secret; the worker's entry point adds it to every call. */
    static final String SECRET_HEADER = "async-batch-secret";

    private static final Metadata.Key<String> SECRET_KEY =
            Metadata.Key.of(SECRET_HEADER, Metadata.ASCII_STRING_MARSHALLER);

    /** Holds a pickled function; batches travel elsewhere. */
    private static final int MAX_MESSAGE_BYTES = 512 * 1024 * 1024;

    private final ServerInterceptor authentication;
    private final Executor executor;
    private final Queue<Server> started = new ConcurrentLinkedQueue<>();

    LoopbackServerFactory(String secret, Executor executor) {
        this.authentication = new SecretInterceptor(secret);
        this.executor = executor;
    }

    @Override
    public Server allocateAddressAndCreate(
            List<BindableService> services, ApiServiceDescriptor.Builder descriptor)
            throws IOException {
        Server server = start(services);
        started.add(server);
        descriptor.setUrl("127.0.0.1:" + server.getPort());
        return server;
    }

    @Override
    public Server create(List<BindableService> services, ApiServiceDescriptor descriptor)
            throws IOException {
        throw new IOException(
                "Servers of an async batch worker take a free port, not " + descriptor.getUrl());
    }

    /**
     * Stops what was started, also servers that Beam forgot when one after them failed to start.
     */
    void stop() {
        started.forEach(Server::shutdownNow);
    }

    private Server start(List<BindableService> services) throws IOException {
        InetAddress loopback = InetAddress.getByAddress(new byte[] {127, 0, 0, 1});
        NettyServerBuilder builder =
                NettyServerBuilder.forAddress(new InetSocketAddress(loopback, 0))
                        .executor(executor)
                        .maxInboundMessageSize(MAX_MESSAGE_BYTES);
        for (BindableService service : services) {
            // The interceptor named last runs first: nothing is looked at before the secret.
            builder.addService(
                    ServerInterceptors.intercept(
                            service,
                            GrpcContextHeaderAccessorProvider.interceptor(),
                            authentication));
        }
        return builder.build().start();
    }

    private static final class SecretInterceptor implements ServerInterceptor {

        private final byte[] secret;

        SecretInterceptor(String secret) {
            this.secret = secret.getBytes(StandardCharsets.US_ASCII);
        }

        @Override
        public <ReqT, RespT> ServerCall.Listener<ReqT> interceptCall(
                ServerCall<ReqT, RespT> call,
                Metadata headers,
                ServerCallHandler<ReqT, RespT> next) {
            String presented = headers.get(SECRET_KEY);
            boolean known =
                    presented != null
                            && MessageDigest.isEqual(
                                    presented.getBytes(StandardCharsets.US_ASCII), secret);
            if (known) {
                return next.startCall(call, headers);
            }
            call.close(
                    Status.UNAUTHENTICATED.withDescription("the worker's secret is missing"),
                    new Metadata());
            return new ServerCall.Listener<>() {};
        }
    }
}
