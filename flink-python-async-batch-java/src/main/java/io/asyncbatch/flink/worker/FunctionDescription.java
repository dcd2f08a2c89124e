package io.asyncbatch.flink.worker;

import com.google.protobuf.ByteString;
import io.asyncbatch.flink.arrow.ArrowSchemas;
import io.asyncbatch.flink.proto.BatchChannel;
import io.asyncbatch.flink.proto.FunctionType;
import io.asyncbatch.flink.proto.ProtocolVersion;
import io.asyncbatch.flink.proto.UserDefinedAsyncBatchFunction;
import io.asyncbatch.flink.worker.channel.ConnectionListener;
import java.io.IOException;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.typeinfo.TypeInformation;

/** Tells a worker all it needs to run the function. Stateless. */
final class FunctionDescription {

    private FunctionDescription() {}

    /** All but what depends on the worker process. */
    static UserDefinedAsyncBatchFunction.Builder describe(
            PythonFunction function,
            TypeInformation<?> inputType,
            TypeInformation<?> outputType,
            RuntimeContext runtimeContext) {
        return describe(function, inputType, outputType)
                .setRuntimeContext(describe(runtimeContext));
    }

    /** All but what depends on the worker process, or on the subtask. */
    static UserDefinedAsyncBatchFunction.Builder describe(
            PythonFunction function, TypeInformation<?> inputType, TypeInformation<?> outputType) {
        return UserDefinedAsyncBatchFunction.newBuilder()
                .setProtocolVersion(ProtocolVersion.PROTOCOL_VERSION_CURRENT_VALUE)
                .setRelease(Release.version())
                .setFunctionType(FunctionType.ASYNC_BATCH)
                .setPayload(ByteString.copyFrom(function.pickled()))
                .setRetryStrategy(ByteString.copyFrom(function.retryStrategy()))
                .setFunctionName(function.className())
                .setInputSchema(
                        ByteString.copyFrom(ArrowSchemas.toBytes(ArrowSchemas.forType(inputType))))
                .setOutputSchema(
                        ByteString.copyFrom(
                                ArrowSchemas.toBytes(ArrowSchemas.forType(outputType))));
    }

    /** What the user's {@code open} sees of a subtask. */
    static io.asyncbatch.flink.proto.RuntimeContext describe(RuntimeContext context) {
        TaskInfo task = context.getTaskInfo();
        return io.asyncbatch.flink.proto.RuntimeContext.newBuilder()
                .setTaskName(task.getTaskName())
                .setTaskNameWithSubtasks(task.getTaskNameWithSubtasks())
                .setNumberOfParallelSubtasks(task.getNumberOfParallelSubtasks())
                .setMaxNumberOfParallelSubtasks(task.getMaxNumberOfParallelSubtasks())
                .setIndexOfThisSubtask(task.getIndexOfThisSubtask())
                .setAttemptNumber(task.getAttemptNumber())
                .putAllJobParameters(context.getGlobalJobParameters())
                .build();
    }

    /** How the worker reaches the operator. */
    static BatchChannel describe(ConnectionListener listener, WorkerLimits limits)
            throws IOException {
        BatchChannel.Builder channel =
                BatchChannel.newBuilder()
                        .setMaxFrameBytes(limits.maxFrameBytes())
                        .setSharedMemoryBytes(limits.sharedMemoryBytes())
                        .setSharedMemoryThreshold(limits.sharedMemoryThreshold());
        listener.socketPath().ifPresent(path -> channel.setUnixSocketPath(path.toString()));
        listener.loopbackPort().ifPresent(channel::setLoopbackPort);
        return channel.build();
    }

    /** Without an address, for who is reached in this process. */
    static BatchChannel describe(long maxFrameBytes) {
        return BatchChannel.newBuilder().setMaxFrameBytes(maxFrameBytes).build();
    }
}
