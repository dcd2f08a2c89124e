package io.asyncbatch.flink.sidecar.channel;

import io.asyncbatch.flink.proto.inference.InferParameter;
import io.asyncbatch.flink.sidecar.memory.SharedArea.Lease;
import java.util.Map;

/** How a tensor says where in shared memory it lies. Stateless. */
final class SharedMemoryParameters {

    static final String REGION = "shared_memory_region";
    static final String OFFSET = "shared_memory_offset";
    static final String BYTE_SIZE = "shared_memory_byte_size";

    private SharedMemoryParameters() {}

    static Map<String, InferParameter> of(Lease lease) {
        return Map.of(
                REGION,
                InferParameter.newBuilder().setStringParam(lease.area().name()).build(),
                OFFSET,
                InferParameter.newBuilder().setInt64Param(lease.offset()).build(),
                BYTE_SIZE,
                InferParameter.newBuilder().setInt64Param(lease.size()).build());
    }
}
