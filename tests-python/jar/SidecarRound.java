import io.asyncbatch.flink.proto.inference.ModelInferRequest;
import io.asyncbatch.flink.proto.inference.ModelInferResponse;
import io.asyncbatch.flink.proto.inference.ModelReadyResponse;
import io.asyncbatch.flink.proto.inference.ServerReadyResponse;
import io.asyncbatch.flink.shaded.io.grpc.Metadata;
import io.asyncbatch.flink.shaded.io.grpc.Server;
import io.asyncbatch.flink.shaded.io.grpc.ServerCall;
import io.asyncbatch.flink.shaded.io.grpc.ServerCallHandler;
import io.asyncbatch.flink.shaded.io.grpc.ServerServiceDefinition;
import io.asyncbatch.flink.shaded.io.grpc.Status;
import io.asyncbatch.flink.shaded.io.grpc.netty.NettyServerBuilder;
import io.asyncbatch.flink.shaded.io.netty.channel.ChannelOption;
import io.asyncbatch.flink.shaded.io.netty.channel.nio.NioEventLoopGroup;
import io.asyncbatch.flink.shaded.io.netty.channel.socket.nio.NioServerDomainSocketChannel;
import io.asyncbatch.flink.sidecar.SidecarOptions;
import io.asyncbatch.flink.sidecar.Tensor;
import io.asyncbatch.flink.sidecar.TensorDataType;
import io.asyncbatch.flink.sidecar.channel.AnswerHandler;
import io.asyncbatch.flink.sidecar.channel.InferenceMethods;
import io.asyncbatch.flink.sidecar.channel.SidecarClient;
import io.asyncbatch.flink.sidecar.channel.SidecarMetrics;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;

/** One request over a Unix socket, with the classes of the jar alone: its gRPC, Netty and protobuf. */
public final class SidecarRound implements Callable<Long> {

    private final Path socket;

    public SidecarRound(Path socket) {
        this.socket = socket;
    }

    @Override
    public Long call() throws Exception {
        NioEventLoopGroup thread = new NioEventLoopGroup(1);
        Server server =
                NettyServerBuilder.forAddress(UnixDomainSocketAddress.of(socket))
                        .channelType(NioServerDomainSocketChannel.class)
                        .bossEventLoopGroup(thread)
                        .workerEventLoopGroup(thread)
                        .directExecutor()
                        // Of TCP; Netty would warn of it, and the test takes warnings as failures.
                        .withChildOption(ChannelOption.SO_KEEPALIVE, null)
                        .addService(echo())
                        .build()
                        .start();
        try (SidecarClient client =
                SidecarClient.open(
                        SidecarOptions.builder("unix://" + socket, "echo").build(),
                        new SidecarMetrics(new UnregisteredMetricsGroup()),
                        getClass().getClassLoader())) {
            CompletableFuture<Long> answer = new CompletableFuture<>();
            ByteBuffer value =
                    ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(0, 42);
            client.request(
                            List.of(
                                    new Tensor(
                                            "x", TensorDataType.INT64, new long[] {1}, value)),
                            List.of(),
                            new AnswerHandler() {
                                @Override
                                public void onOutputs(List<Tensor> outputs) {
                                    answer.complete(outputs.get(0).contents().getLong());
                                }

                                @Override
                                public void onFailure(Throwable failure) {
                                    answer.completeExceptionally(failure);
                                }
                            })
                    .submit();
            return answer.get(60, TimeUnit.SECONDS);
        } finally {
            server.shutdownNow().awaitTermination(10, TimeUnit.SECONDS);
            thread.shutdownGracefully(0, 10, TimeUnit.SECONDS).await(10, TimeUnit.SECONDS);
        }
    }

    private static ServerServiceDefinition echo() {
        return ServerServiceDefinition.builder(InferenceMethods.SERVICE)
                .addMethod(
                        InferenceMethods.SERVER_READY,
                        replying(r -> ServerReadyResponse.newBuilder().setReady(true).build()))
                .addMethod(
                        InferenceMethods.MODEL_READY,
                        replying(r -> ModelReadyResponse.newBuilder().setReady(true).build()))
                .addMethod(InferenceMethods.MODEL_INFER, replying(SidecarRound::echo))
                .build();
    }

    private static ModelInferResponse echo(ModelInferRequest request) {
        ModelInferResponse.Builder answer =
                ModelInferResponse.newBuilder()
                        .setId(request.getId())
                        .setModelName(request.getModelName())
                        .addAllRawOutputContents(request.getRawInputContentsList());
        answer.addOutputsBuilder().setName("y").setDatatype("INT64").addShape(1);
        return answer.build();
    }

    private static <Q, A> ServerCallHandler<Q, A> replying(Function<Q, A> answer) {
        return (call, headers) -> {
            call.request(1);
            return new ServerCall.Listener<>() {
                @Override
                public void onMessage(Q request) {
                    call.sendHeaders(new Metadata());
                    call.sendMessage(answer.apply(request));
                    call.close(Status.OK, new Metadata());
                }
            };
        };
    }
}
