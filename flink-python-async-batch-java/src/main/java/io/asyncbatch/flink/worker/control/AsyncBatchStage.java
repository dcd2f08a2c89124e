package io.asyncbatch.flink.worker.control;

import io.asyncbatch.flink.proto.UserDefinedAsyncBatchFunction;
import java.util.List;
import java.util.Map;
import org.apache.beam.model.pipeline.v1.RunnerApi;
import org.apache.beam.runners.core.construction.Environments;
import org.apache.beam.runners.core.construction.ModelCoders;
import org.apache.beam.runners.core.construction.graph.ExecutableStage;
import org.apache.beam.runners.core.construction.graph.ImmutableExecutableStage;
import org.apache.beam.runners.core.construction.graph.PipelineNode;
import org.apache.beam.vendor.grpc.v1p60p1.com.google.protobuf.ByteString;

/**
 * Describes to Beam what a worker runs: one ASYNC_BATCH transform, with an input that never gets an
 * element and no output. Stateless.
 */
final class AsyncBatchStage {

    /** The worker's entry point registers the transform under this name. */
    static final String ASYNC_BATCH_URN = "flink:transform:async_batch_function:v1";

    static final String TRANSFORM_ID = "async-batch";

    private static final String INPUT_ID = "input";
    private static final String CODER_ID = "bytes";
    private static final String WINDOW_CODER_ID = "window";
    private static final String WINDOWING_ID = "windowing";

    private AsyncBatchStage() {}

    static ExecutableStage describe(UserDefinedAsyncBatchFunction function) {
        RunnerApi.Components components =
                RunnerApi.Components.newBuilder()
                        .putPcollections(
                                INPUT_ID,
                                RunnerApi.PCollection.newBuilder()
                                        .setUniqueName(INPUT_ID)
                                        .setCoderId(CODER_ID)
                                        .setWindowingStrategyId(WINDOWING_ID)
                                        .build())
                        .putWindowingStrategies(
                                WINDOWING_ID,
                                RunnerApi.WindowingStrategy.newBuilder()
                                        .setWindowCoderId(WINDOW_CODER_ID)
                                        .build())
                        .putCoders(CODER_ID, coder(ModelCoders.BYTES_CODER_URN))
                        .putCoders(WINDOW_CODER_ID, coder(ModelCoders.GLOBAL_WINDOW_CODER_URN))
                        .putTransforms(TRANSFORM_ID, transform(function))
                        .build();
        return ImmutableExecutableStage.of(
                components,
                // The worker's command is not Beam's to know; see WorkerEnvironmentFactory.
                Environments.createProcessEnvironment("", "", "", Map.of()),
                PipelineNode.pCollection(INPUT_ID, components.getPcollectionsOrThrow(INPUT_ID)),
                List.of(),
                List.of(),
                List.of(),
                List.of(
                        PipelineNode.pTransform(
                                TRANSFORM_ID, components.getTransformsOrThrow(TRANSFORM_ID))),
                List.of(),
                List.of());
    }

    private static RunnerApi.PTransform transform(UserDefinedAsyncBatchFunction function) {
        return RunnerApi.PTransform.newBuilder()
                .setUniqueName(TRANSFORM_ID)
                .setSpec(
                        RunnerApi.FunctionSpec.newBuilder()
                                .setUrn(ASYNC_BATCH_URN)
                                .setPayload(ByteString.copyFrom(function.toByteArray())))
                .putInputs(INPUT_ID, INPUT_ID)
                .build();
    }

    private static RunnerApi.Coder coder(String urn) {
        return RunnerApi.Coder.newBuilder()
                .setSpec(RunnerApi.FunctionSpec.newBuilder().setUrn(urn))
                .build();
    }
}
