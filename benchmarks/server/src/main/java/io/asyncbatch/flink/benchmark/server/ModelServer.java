package io.asyncbatch.flink.benchmark.server;

import io.grpc.netty.NettyServerBuilder;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;

/**
 * Serves gRPC on a Unix socket and on a loopback port, and REST on another. Main program: takes the
 * path of the socket, prints both ports, and ends with its standard input.
 *
 * <p>Calls are answered by the event loops that read them; nothing here blocks or hands over.
 */
public final class ModelServer {

    private static final int LARGEST_MESSAGE = 64 << 20;

    private ModelServer() {}

    public static void main(String[] arguments) throws Exception {
        EventLoopGroup loops = new EpollEventLoopGroup();
        InetSocketAddress anyPort = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        serveGrpc(
                new DomainSocketAddress(arguments[0]), EpollServerDomainSocketChannel.class, loops);
        int grpcPort = serveGrpc(anyPort, EpollServerSocketChannel.class, loops);
        int restPort = serveRest(anyPort, loops);
        System.out.println(grpcPort + " " + restPort);
        // A benchmark that is killed closes it too.
        while (System.in.read() >= 0) {
            continue;
        }
        System.exit(0);
    }

    private static int serveGrpc(
            SocketAddress address, Class<? extends ServerChannel> channelType, EventLoopGroup loops)
            throws IOException {
        return NettyServerBuilder.forAddress(address)
                .channelType(channelType)
                .bossEventLoopGroup(loops)
                .workerEventLoopGroup(loops)
                .directExecutor()
                .maxInboundMessageSize(LARGEST_MESSAGE)
                .flowControlWindow(8 << 20)
                .addService(new InferenceService().definition())
                .build()
                .start()
                .getPort();
    }

    private static int serveRest(InetSocketAddress address, EventLoopGroup loops)
            throws InterruptedException {
        Channel channel =
                new ServerBootstrap()
                        .group(loops)
                        .channel(EpollServerSocketChannel.class)
                        .childHandler(
                                new ChannelInitializer<>() {
                                    @Override
                                    protected void initChannel(Channel connection) {
                                        connection
                                                .pipeline()
                                                .addLast(
                                                        new HttpServerCodec(),
                                                        new HttpObjectAggregator(LARGEST_MESSAGE),
                                                        new RestAnswer());
                                    }
                                })
                        .bind(address)
                        .sync()
                        .channel();
        return ((InetSocketAddress) channel.localAddress()).getPort();
    }
}
