package io.asyncbatch.flink.sidecar.channel;

import io.netty.channel.Channel;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.util.concurrent.ThreadFactory;

/**
 * The kind of sockets that a channel uses: Netty's own, a fifth faster, where its library can be
 * loaded, and Java's where not, such as on other systems and where no library may be loaded from
 * the temporary directory. Constants.
 */
enum Sockets {
    EPOLL {
        @Override
        EventLoopGroup thread(ThreadFactory threads) {
            return new EpollEventLoopGroup(1, threads);
        }

        @Override
        Class<? extends Channel> tcp() {
            return EpollSocketChannel.class;
        }

        @Override
        Class<? extends Channel> unix() {
            return EpollDomainSocketChannel.class;
        }

        @Override
        SocketAddress unixAddress(String path) {
            return new DomainSocketAddress(path);
        }
    },
    NIO {
        @Override
        EventLoopGroup thread(ThreadFactory threads) {
            return new NioEventLoopGroup(1, threads);
        }

        @Override
        Class<? extends Channel> tcp() {
            return NioSocketChannel.class;
        }

        @Override
        Class<? extends Channel> unix() {
            return NioDomainSocketChannel.class;
        }

        @Override
        SocketAddress unixAddress(String path) {
            return UnixDomainSocketAddress.of(path);
        }
    };

    /** The fastest that this process can use. */
    static Sockets available() {
        return Epoll.isAvailable() ? EPOLL : NIO;
    }

    /** The one thread of a channel. */
    abstract EventLoopGroup thread(ThreadFactory threads);

    abstract Class<? extends Channel> tcp();

    abstract Class<? extends Channel> unix();

    abstract SocketAddress unixAddress(String path);
}
