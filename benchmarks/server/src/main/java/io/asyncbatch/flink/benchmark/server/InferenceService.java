package io.asyncbatch.flink.benchmark.server;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import io.asyncbatch.flink.proto.inference.InferParameter;
import io.asyncbatch.flink.proto.inference.ModelInferRequest;
import io.asyncbatch.flink.proto.inference.ModelInferResponse;
import io.asyncbatch.flink.proto.inference.ModelMetadataRequest;
import io.asyncbatch.flink.proto.inference.ModelMetadataResponse;
import io.asyncbatch.flink.proto.inference.ModelReadyRequest;
import io.asyncbatch.flink.proto.inference.ModelReadyResponse;
import io.asyncbatch.flink.proto.inference.ServerLiveRequest;
import io.asyncbatch.flink.proto.inference.ServerLiveResponse;
import io.asyncbatch.flink.proto.inference.ServerMetadataRequest;
import io.asyncbatch.flink.proto.inference.ServerMetadataResponse;
import io.asyncbatch.flink.proto.inference.ServerReadyRequest;
import io.asyncbatch.flink.proto.inference.ServerReadyResponse;
import io.asyncbatch.flink.proto.inference.SystemSharedMemoryRegisterRequest;
import io.asyncbatch.flink.proto.inference.SystemSharedMemoryRegisterResponse;
import io.asyncbatch.flink.proto.inference.SystemSharedMemoryStatusRequest;
import io.asyncbatch.flink.proto.inference.SystemSharedMemoryStatusResponse;
import io.asyncbatch.flink.proto.inference.SystemSharedMemoryUnregisterRequest;
import io.asyncbatch.flink.proto.inference.SystemSharedMemoryUnregisterResponse;
import io.grpc.MethodDescriptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.ServerCalls;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * One model, {@code number}: as many FP32 as its first input has rows, all of them the same. Called
 * by the event loops, any number at a time.
 */
final class InferenceService {

    private static final String SERVICE = "inference.GRPCInferenceService";
    private static final String MODEL = "number";
    private static final int BYTES_OF_ROW = Float.BYTES;

    private final Map<String, ByteBuffer> regions = new ConcurrentHashMap<>();

    ServerServiceDefinition definition() {
        ServerServiceDefinition.Builder service = ServerServiceDefinition.builder(SERVICE);
        add(
                service,
                "ServerLive",
                ServerLiveRequest.getDefaultInstance(),
                ServerLiveResponse.getDefaultInstance(),
                asked -> ServerLiveResponse.newBuilder().setLive(true).build());
        add(
                service,
                "ServerReady",
                ServerReadyRequest.getDefaultInstance(),
                ServerReadyResponse.getDefaultInstance(),
                asked -> ServerReadyResponse.newBuilder().setReady(true).build());
        add(
                service,
                "ModelReady",
                ModelReadyRequest.getDefaultInstance(),
                ModelReadyResponse.getDefaultInstance(),
                asked -> ModelReadyResponse.newBuilder().setReady(true).build());
        add(
                service,
                "ServerMetadata",
                ServerMetadataRequest.getDefaultInstance(),
                ServerMetadataResponse.getDefaultInstance(),
                asked ->
                        ServerMetadataResponse.newBuilder()
                                .setName("benchmark")
                                .addExtensions("system_shared_memory")
                                .build());
        add(
                service,
                "ModelMetadata",
                ModelMetadataRequest.getDefaultInstance(),
                ModelMetadataResponse.getDefaultInstance(),
                asked -> ModelMetadataResponse.newBuilder().setName(MODEL).build());
        add(
                service,
                "ModelInfer",
                ModelInferRequest.getDefaultInstance(),
                ModelInferResponse.getDefaultInstance(),
                this::infer);
        add(
                service,
                "SystemSharedMemoryStatus",
                SystemSharedMemoryStatusRequest.getDefaultInstance(),
                SystemSharedMemoryStatusResponse.getDefaultInstance(),
                asked -> SystemSharedMemoryStatusResponse.getDefaultInstance());
        add(
                service,
                "SystemSharedMemoryRegister",
                SystemSharedMemoryRegisterRequest.getDefaultInstance(),
                SystemSharedMemoryRegisterResponse.getDefaultInstance(),
                this::register);
        add(
                service,
                "SystemSharedMemoryUnregister",
                SystemSharedMemoryUnregisterRequest.getDefaultInstance(),
                SystemSharedMemoryUnregisterResponse.getDefaultInstance(),
                this::unregister);
        return service.build();
    }

    private ModelInferResponse infer(ModelInferRequest request) {
        long rows = request.getInputs(0).getShape(0);
        ModelInferResponse.InferOutputTensor.Builder output =
                ModelInferResponse.InferOutputTensor.newBuilder()
                        .setName(MODEL)
                        .setDatatype("FP32")
                        .addShape(rows)
                        .addShape(1);
        ModelInferResponse.Builder response =
                ModelInferResponse.newBuilder()
                        .setModelName(MODEL)
                        .setModelVersion("1")
                        .setId(request.getId());
        byte[] numbers = new byte[Math.toIntExact(rows * BYTES_OF_ROW)];
        Map<String, InferParameter> wanted =
                request.getOutputsCount() == 0
                        ? Map.of()
                        : request.getOutputs(0).getParametersMap();
        if (wanted.containsKey("shared_memory_region")) {
            ByteBuffer region = region(wanted.get("shared_memory_region").getStringParam());
            InferParameter offset = wanted.get("shared_memory_offset");
            region.put(offset == null ? 0 : Math.toIntExact(offset.getInt64Param()), numbers);
            output.putAllParameters(wanted)
                    .putParameters(
                            "shared_memory_byte_size",
                            InferParameter.newBuilder().setInt64Param(numbers.length).build());
        } else {
            response.addRawOutputContents(ByteString.copyFrom(numbers));
        }
        for (ModelInferRequest.InferInputTensor input : request.getInputsList()) {
            InferParameter name = input.getParametersMap().get("shared_memory_region");
            if (name != null) {
                region(name.getStringParam());
            }
        }
        return response.addOutputs(output).build();
    }

    private ByteBuffer region(String name) {
        ByteBuffer region = regions.get(name);
        if (region == null) {
            throw Status.NOT_FOUND
                    .withDescription("no shared memory region '" + name + "'")
                    .asRuntimeException();
        }
        return region;
    }

    private SystemSharedMemoryRegisterResponse register(SystemSharedMemoryRegisterRequest asked) {
        try (FileChannel file =
                FileChannel.open(
                        Path.of("/dev/shm", asked.getKey()),
                        StandardOpenOption.READ,
                        StandardOpenOption.WRITE)) {
            regions.put(
                    asked.getName(),
                    file.map(
                            FileChannel.MapMode.READ_WRITE,
                            asked.getOffset(),
                            asked.getByteSize()));
        } catch (IOException e) {
            throw Status.INVALID_ARGUMENT
                    .withDescription("cannot map '" + asked.getKey() + "'")
                    .withCause(e)
                    .asRuntimeException();
        }
        return SystemSharedMemoryRegisterResponse.getDefaultInstance();
    }

    private SystemSharedMemoryUnregisterResponse unregister(
            SystemSharedMemoryUnregisterRequest asked) {
        if (asked.getName().isEmpty()) {
            regions.clear();
        } else {
            regions.remove(asked.getName());
        }
        return SystemSharedMemoryUnregisterResponse.getDefaultInstance();
    }

    private interface Answer<Q, A> {
        A to(Q asked);
    }

    private static <Q extends Message, A extends Message> void add(
            ServerServiceDefinition.Builder service,
            String name,
            Q request,
            A response,
            Answer<Q, A> answer) {
        MethodDescriptor<Q, A> method =
                MethodDescriptor.<Q, A>newBuilder()
                        .setType(MethodDescriptor.MethodType.UNARY)
                        .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, name))
                        .setRequestMarshaller(ProtoUtils.marshaller(request))
                        .setResponseMarshaller(ProtoUtils.marshaller(response))
                        .build();
        service.addMethod(
                method,
                ServerCalls.asyncUnaryCall(
                        (asked, observer) -> {
                            A answered;
                            try {
                                answered = answer.to(asked);
                            } catch (RuntimeException e) {
                                observer.onError(e);
                                return;
                            }
                            observer.onNext(answered);
                            observer.onCompleted();
                        }));
    }
}
