package io.asyncbatch.flink.sidecar.channel;

import com.google.protobuf.UnsafeByteOperations;
import io.asyncbatch.flink.proto.inference.ModelInferRequest;
import io.asyncbatch.flink.proto.inference.ModelInferRequest.InferInputTensor;
import io.asyncbatch.flink.proto.inference.ModelInferRequest.InferRequestedOutputTensor;
import io.asyncbatch.flink.sidecar.SidecarOptions;
import io.asyncbatch.flink.sidecar.Tensor;
import io.asyncbatch.flink.sidecar.memory.SharedArea;
import io.asyncbatch.flink.sidecar.memory.SharedArea.Lease;
import io.asyncbatch.flink.sidecar.memory.SharedMemoryPool;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.annotation.Nullable;

/** Makes messages of input tensors, which lie inline or in shared memory. Used by any thread. */
final class RequestWriter {

    private final SidecarOptions options;
    @Nullable private final SharedMemoryPool memory;
    private volatile SharedOutputs sharedOutputs = SharedOutputs.NONE;

    /**
     * @param memory null where none is shared
     */
    RequestWriter(SidecarOptions options, @Nullable SharedMemoryPool memory) {
        this.options = options;
        this.memory = memory;
    }

    /** Has outputs of known size written to shared memory from now on. */
    void shareOutputs(SharedOutputs outputs) {
        sharedOutputs = outputs;
    }

    /** A message, and the shared memory that it speaks of. */
    record Written(ModelInferRequest message, List<Lease> inputs, Map<String, Lease> outputs) {

        boolean isShared() {
            return !inputs.isEmpty() || !outputs.isEmpty();
        }

        /** Of a message that is shared. */
        SharedArea area() {
            return (inputs.isEmpty() ? outputs.values().iterator().next() : inputs.get(0)).area();
        }

        void giveBack() {
            inputs.forEach(Lease::giveBack);
            outputs.values().forEach(Lease::giveBack);
        }

        void lose() {
            inputs.forEach(Lease::lose);
            outputs.values().forEach(Lease::lose);
        }
    }

    /** Everything in the message. */
    Written inline(String id, List<Tensor> inputs, List<String> outputs) {
        ModelInferRequest.Builder message = message(id);
        inputs.forEach(input -> addInline(message, input));
        outputs.forEach(name -> message.addOutputsBuilder().setName(name));
        return new Written(message.build(), List.of(), Map.of());
    }

    /** What is large and finds room in shared memory, the rest in the message. */
    Written write(String id, List<Tensor> inputs, List<String> outputs) {
        if (memory == null) {
            return inline(id, inputs, outputs);
        }
        ModelInferRequest.Builder message = message(id);
        List<Lease> inputLeases = new ArrayList<>();
        for (Tensor input : inputs) {
            Lease lease =
                    take(
                            input.contents().remaining(),
                            inputLeases.isEmpty() ? null : inputLeases.get(0));
            if (lease == null) {
                addInline(message, input);
            } else {
                lease.bytes().put(input.contents());
                message.addInputs(
                        describe(input).putAllParameters(SharedMemoryParameters.of(lease)));
                inputLeases.add(lease);
            }
        }
        Map<String, Lease> outputLeases =
                outputLeases(inputs, outputs, inputLeases.isEmpty() ? null : inputLeases.get(0));
        List<String> asked = outputLeases.isEmpty() ? outputs : sharedOutputs.names(outputs);
        for (String name : asked) {
            InferRequestedOutputTensor.Builder output = message.addOutputsBuilder().setName(name);
            Lease lease = outputLeases.get(name);
            if (lease != null) {
                output.putAllParameters(SharedMemoryParameters.of(lease));
            }
        }
        return new Written(message.build(), inputLeases, outputLeases);
    }

    private Map<String, Lease> outputLeases(
            List<Tensor> inputs, List<String> outputs, @Nullable Lease first) {
        long[] shape = inputs.isEmpty() ? new long[0] : inputs.get(0).shape();
        if (shape.length == 0) {
            return Map.of();
        }
        Map<String, Lease> leases = new HashMap<>();
        Lease sameArea = first;
        for (String name : sharedOutputs.names(outputs)) {
            Lease lease = take(sharedOutputs.bytes(name, shape[0]), sameArea);
            if (lease != null) {
                leases.put(name, lease);
                sameArea = lease;
            }
        }
        return leases;
    }

    /** All of one request in one area, so that it is forgotten or known as a whole. */
    @Nullable
    private Lease take(long bytes, @Nullable Lease sameArea) {
        if (bytes < options.sharedMemoryThreshold()) {
            return null;
        }
        Lease lease = memory.take(bytes);
        if (lease != null && sameArea != null && lease.area() != sameArea.area()) {
            lease.giveBack();
            return null;
        }
        return lease;
    }

    private ModelInferRequest.Builder message(String id) {
        return ModelInferRequest.newBuilder()
                .setModelName(options.modelName())
                .setModelVersion(options.modelVersion().orElse(""))
                .setId(id);
    }

    private static void addInline(ModelInferRequest.Builder message, Tensor input) {
        message.addInputs(describe(input));
        // The tensor promises that its contents do not change.
        message.addRawInputContents(UnsafeByteOperations.unsafeWrap(input.contents()));
    }

    private static InferInputTensor.Builder describe(Tensor input) {
        InferInputTensor.Builder tensor =
                InferInputTensor.newBuilder()
                        .setName(input.name())
                        .setDatatype(input.dataType().name());
        for (long dimension : input.shape()) {
            tensor.addShape(dimension);
        }
        return tensor;
    }
}
