package io.asyncbatch.flink.worker.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.Socket;
import java.net.SocketException;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.beam.model.fnexecution.v1.ProvisionApi.GetProvisionInfoRequest;
import org.apache.beam.model.fnexecution.v1.ProvisionApi.ProvisionInfo;
import org.apache.beam.model.fnexecution.v1.ProvisionServiceGrpc;
import org.apache.beam.runners.fnexecution.provisioning.StaticGrpcProvisionService;
import org.apache.beam.sdk.fn.server.GrpcContextHeaderAccessorProvider;
import org.apache.beam.sdk.fn.server.GrpcFnServer;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.ManagedChannel;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.Metadata;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.Status;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.StatusRuntimeException;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.netty.NettyChannelBuilder;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.stub.MetadataUtils;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class LoopbackServerFactoryTest {

    private static final String SECRET = "0123456789abcdef";

    private final ExecutorService executor = Executors.newCachedThreadPool();
    private GrpcFnServer<StaticGrpcProvisionService> server;
    private ManagedChannel client;

    @BeforeEach
    void start() throws Exception {
        server =
                GrpcFnServer.allocatePortAndCreateFor(
                        StaticGrpcProvisionService.create(
                                ProvisionInfo.getDefaultInstance(),
                                GrpcContextHeaderAccessorProvider.getHeaderAccessor()),
                        new LoopbackServerFactory(SECRET, executor));
        client =
                NettyChannelBuilder.forTarget(server.getApiServiceDescriptor().getUrl())
                        .usePlaintext()
                        .build();
    }

    @AfterEach
    void stop() throws Exception {
        client.shutdownNow();
        server.close();
        executor.shutdownNow();
    }

    @Test
    void answersWhoSendsTheSecret() {
        assertThat(ask("worker_id", "w", LoopbackServerFactory.SECRET_HEADER, SECRET)).isNotNull();
    }

    @Test
    void refusesAStranger() {
        assertThatThrownBy(() -> ask("worker_id", "w", "another-header", SECRET))
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e ->
                                assertThat(e.getStatus().getCode())
                                        .isEqualTo(Status.Code.UNAUTHENTICATED));
        assertThatThrownBy(
                        () ->
                                ask(
                                        "worker_id",
                                        "w",
                                        LoopbackServerFactory.SECRET_HEADER,
                                        "0123456789abcdee"))
                .isInstanceOf(StatusRuntimeException.class)
                .hasMessageStartingWith("UNAUTHENTICATED");
    }

    @Test
    void cannotBeReachedByAnotherAddress() throws Exception {
        int port = server.getServer().getPort();
        for (InetAddress address : addressesBesidesLoopback()) {
            try (Socket socket = new Socket()) {
                assertThatThrownBy(
                                () -> socket.connect(new InetSocketAddress(address, port), 2_000))
                        .as("connecting to %s", address)
                        .isInstanceOf(IOException.class);
            }
        }
        assertThat(server.getServer().getListenSockets())
                .allSatisfy(
                        address ->
                                assertThat(((InetSocketAddress) address).getAddress())
                                        .matches(InetAddress::isLoopbackAddress));
    }

    private static List<InetAddress> addressesBesidesLoopback() throws SocketException {
        return Collections.list(NetworkInterface.getNetworkInterfaces()).stream()
                .flatMap(NetworkInterface::inetAddresses)
                .filter(address -> !address.isLoopbackAddress())
                .toList();
    }

    private Object ask(String... headers) {
        Metadata metadata = new Metadata();
        for (int i = 0; i < headers.length; i += 2) {
            metadata.put(
                    Metadata.Key.of(headers[i], Metadata.ASCII_STRING_MARSHALLER), headers[i + 1]);
        }
        return ProvisionServiceGrpc.newBlockingStub(client)
                .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(metadata))
                .getProvisionInfo(GetProvisionInfoRequest.getDefaultInstance());
    }
}
