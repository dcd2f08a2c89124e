package io.asyncbatch.flink.sidecar.channel;

import com.google.protobuf.Message;
import io.asyncbatch.flink.proto.inference.ModelInferRequest;
import io.asyncbatch.flink.proto.inference.ModelInferResponse;
import io.asyncbatch.flink.proto.inference.ModelMetadataRequest;
import io.asyncbatch.flink.proto.inference.ModelMetadataResponse;
import io.asyncbatch.flink.proto.inference.ModelReadyRequest;
import io.asyncbatch.flink.proto.inference.ModelReadyResponse;
import io.asyncbatch.flink.proto.inference.ServerReadyRequest;
import io.asyncbatch.flink.proto.inference.ServerReadyResponse;
import io.asyncbatch.flink.proto.inference.SystemSharedMemoryRegisterRequest;
import io.asyncbatch.flink.proto.inference.SystemSharedMemoryRegisterResponse;
import io.asyncbatch.flink.proto.inference.SystemSharedMemoryUnregisterRequest;
import io.asyncbatch.flink.proto.inference.SystemSharedMemoryUnregisterResponse;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import org.apache.flink.annotation.Internal;

/**
 * The calls of the Open Inference Protocol, by hand: the generated ones would carry the package of
 * our messages, and the protocol's service is {@code inference.GRPCInferenceService}. Constants.
 */
@Internal
public final class InferenceMethods {

    public static final String SERVICE = "inference.GRPCInferenceService";

    public static final MethodDescriptor<ServerReadyRequest, ServerReadyResponse> SERVER_READY =
            unary(
                    "ServerReady",
                    ServerReadyRequest.getDefaultInstance(),
                    ServerReadyResponse.getDefaultInstance());

    public static final MethodDescriptor<ModelReadyRequest, ModelReadyResponse> MODEL_READY =
            unary(
                    "ModelReady",
                    ModelReadyRequest.getDefaultInstance(),
                    ModelReadyResponse.getDefaultInstance());

    public static final MethodDescriptor<ModelMetadataRequest, ModelMetadataResponse>
            MODEL_METADATA =
                    unary(
                            "ModelMetadata",
                            ModelMetadataRequest.getDefaultInstance(),
                            ModelMetadataResponse.getDefaultInstance());

    public static final MethodDescriptor<ModelInferRequest, ModelInferResponse> MODEL_INFER =
            unary(
                    "ModelInfer",
                    ModelInferRequest.getDefaultInstance(),
                    ModelInferResponse.getDefaultInstance());

    public static final MethodDescriptor<
                    SystemSharedMemoryRegisterRequest, SystemSharedMemoryRegisterResponse>
            REGISTER_MEMORY =
                    unary(
                            "SystemSharedMemoryRegister",
                            SystemSharedMemoryRegisterRequest.getDefaultInstance(),
                            SystemSharedMemoryRegisterResponse.getDefaultInstance());

    public static final MethodDescriptor<
                    SystemSharedMemoryUnregisterRequest, SystemSharedMemoryUnregisterResponse>
            UNREGISTER_MEMORY =
                    unary(
                            "SystemSharedMemoryUnregister",
                            SystemSharedMemoryUnregisterRequest.getDefaultInstance(),
                            SystemSharedMemoryUnregisterResponse.getDefaultInstance());

    private InferenceMethods() {}

    @SuppressWarnings("unchecked") // a message's parser makes messages of its type
    private static <Q extends Message, A extends Message> MethodDescriptor<Q, A> unary(
            String name, Q request, A response) {
        return MethodDescriptor.<Q, A>newBuilder()
                .setType(MethodType.UNARY)
                .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, name))
                .setRequestMarshaller(
                        new MessageMarshaller<>(
                                (com.google.protobuf.Parser<Q>) request.getParserForType()))
                .setResponseMarshaller(
                        new MessageMarshaller<>(
                                (com.google.protobuf.Parser<A>) response.getParserForType()))
                .build();
    }
}
