package io.asyncbatch.flink.sidecar.channel;

import io.asyncbatch.flink.sidecar.SidecarException;
import io.asyncbatch.flink.sidecar.SidecarException.Kind;
import io.asyncbatch.flink.sidecar.SidecarOptions;
import io.grpc.Codec;
import io.grpc.DecompressorRegistry;
import io.grpc.ManagedChannel;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NegotiationType;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import io.netty.util.concurrent.FastThreadLocalThread;
import java.io.File;
import java.net.SocketAddress;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;

/**
 * A channel of gRPC's with a thread, a name resolver's thread and memory of its own, so that all of
 * it ends with {@link #close}. Made and closed by the task's thread.
 */
final class Transport {

    private static final long CLOSE_SECONDS = 5;
    private static final int PAGE_BYTES = 8192;

    /** Chunks of 4 MiB. */
    private static final int CHUNK_ORDER = 9;

    private static final int SMALL_CACHE = 256;
    private static final int NORMAL_CACHE = 64;

    private final EventLoopGroup thread;
    private final ThreadPoolExecutor resolver;
    private final ManagedChannel channel;

    private Transport(EventLoopGroup thread, ThreadPoolExecutor resolver, ManagedChannel channel) {
        this.thread = thread;
        this.resolver = resolver;
        this.channel = channel;
    }

    /**
     * Connects when it is first used.
     *
     * @param userCode class loader of the codecs, which run in the channel's thread
     * @throws SidecarException if certificates or keys cannot be read
     */
    static Transport create(SidecarOptions options, ClassLoader userCode) throws SidecarException {
        Sockets sockets = Sockets.available();
        NettyChannelBuilder builder = builder(options.endpoint(), sockets);
        if (options.usesTls()) {
            builder.sslContext(tls(options));
        } else {
            builder.negotiationType(NegotiationType.PLAINTEXT);
        }
        ThreadFactory threads = work -> thread(work, userCode);
        EventLoopGroup thread = sockets.thread(threads);
        // Asking a name server blocks; the thread ends when it has nothing to do.
        ThreadPoolExecutor resolver =
                new ThreadPoolExecutor(
                        1, 1, 1, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), threads);
        resolver.allowCoreThreadTimeOut(true);
        ManagedChannel channel =
                builder.eventLoopGroup(thread)
                        .withOption(ChannelOption.ALLOCATOR, memory())
                        .directExecutor()
                        .offloadExecutor(resolver)
                        // The server is next door; and names are no place for configuration.
                        .proxyDetector(address -> null)
                        .disableServiceConfigLookUp()
                        // Little that unpacks to much would only be noticed once it is unpacked.
                        .decompressorRegistry(
                                DecompressorRegistry.emptyInstance()
                                        .with(Codec.Identity.NONE, false))
                        .maxInboundMessageSize(options.maxMessageBytes())
                        .keepAliveTime(options.keepAliveTime().toNanos(), TimeUnit.NANOSECONDS)
                        .keepAliveTimeout(
                                options.keepAliveTimeout().toNanos(), TimeUnit.NANOSECONDS)
                        .build();
        return new Transport(thread, resolver, channel);
    }

    private static NettyChannelBuilder builder(Endpoint endpoint, Sockets sockets) {
        if (!endpoint.isUnix()) {
            return NettyChannelBuilder.forAddress(endpoint.host(), endpoint.port())
                    .channelType(sockets.tcp());
        }
        SocketAddress address = sockets.unixAddress(endpoint.path());
        return NettyChannelBuilder.forAddress(address)
                .channelType(sockets.unix(), address.getClass())
                // As gRPC's own resolver of such names has it.
                .overrideAuthority("localhost")
                // Of TCP; Netty would warn of it at each connection.
                .withOption(ChannelOption.SO_KEEPALIVE, null);
    }

    private static Thread thread(Runnable work, ClassLoader userCode) {
        Thread thread = new FastThreadLocalThread(work, "sidecar-client");
        thread.setDaemon(true);
        thread.setContextClassLoader(userCode);
        return thread;
    }

    /** Netty's shared allocator would keep what it once had as long as the TaskManager lives. */
    private static PooledByteBufAllocator memory() {
        return new PooledByteBufAllocator(
                true, 0, 1, PAGE_BYTES, CHUNK_ORDER, SMALL_CACHE, NORMAL_CACHE, false);
    }

    private static SslContext tls(SidecarOptions options) throws SidecarException {
        try {
            SslContextBuilder context =
                    GrpcSslContexts.configure(SslContextBuilder.forClient(), SslProvider.JDK);
            options.caFile().ifPresent(file -> context.trustManager(new File(file)));
            if (options.clientCertificateFile().isPresent()) {
                context.keyManager(
                        new File(options.clientCertificateFile().get()),
                        new File(options.clientKeyFile().get()));
            }
            return context.build();
        } catch (SSLException | IllegalArgumentException e) {
            throw Kind.ACCESS_DENIED.exception(
                    "%s: the certificates or the key cannot be read: %s"
                            .formatted(options, e.getMessage()));
        }
    }

    ManagedChannel channel() {
        return channel;
    }

    ScheduledExecutorService executor() {
        return thread;
    }

    /**
     * Ends connection and threads. A task that is being cancelled has been interrupted, which does
     * not cut this short: each step has a bound of its own.
     *
     * @return whether they ended; if not, user code keeps the channel's thread busy
     */
    boolean close() {
        channel.shutdownNow();
        resolver.shutdownNow();
        boolean interrupted = false;
        boolean channelEnded = false;
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(CLOSE_SECONDS);
        while (!channelEnded && System.nanoTime() < deadline) {
            try {
                channelEnded =
                        channel.awaitTermination(
                                deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        boolean threadEnded =
                thread.shutdownGracefully(0, CLOSE_SECONDS, TimeUnit.SECONDS)
                        .awaitUninterruptibly(CLOSE_SECONDS, TimeUnit.SECONDS);
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        return channelEnded && threadEnded;
    }
}
