package io.asyncbatch.flink.sidecar.channel;

import com.google.protobuf.ByteString;
import io.asyncbatch.flink.proto.inference.InferParameter;
import io.asyncbatch.flink.proto.inference.ModelInferResponse;
import io.asyncbatch.flink.proto.inference.ModelInferResponse.InferOutputTensor;
import io.asyncbatch.flink.sidecar.SidecarException;
import io.asyncbatch.flink.sidecar.SidecarException.Kind;
import io.asyncbatch.flink.sidecar.SidecarOptions;
import io.asyncbatch.flink.sidecar.Tensor;
import io.asyncbatch.flink.sidecar.TensorDataType;
import io.asyncbatch.flink.sidecar.memory.SharedArea.Lease;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Makes tensors of an answer, or says what is wrong with it: nothing that a server sends is taken
 * on trust. Immutable; used by any thread.
 */
final class AnswerReader {

    private final SidecarOptions options;

    AnswerReader(SidecarOptions options) {
        this.options = options;
    }

    /**
     * @param id of the request
     * @param wanted the outputs that were asked for; all if empty
     * @param shared where the outputs lie that were asked to be in shared memory
     * @return the outputs that were asked for, in the server's order
     */
    List<Tensor> read(
            ModelInferResponse answer, String id, List<String> wanted, Map<String, Lease> shared)
            throws SidecarException {
        requireAsked("id", id, answer.getId(), Kind.INTERNAL);
        requireAsked("model", options.modelName(), answer.getModelName(), Kind.INTERNAL);
        if (options.modelVersion().isPresent()) {
            requireAsked(
                    "model version",
                    options.modelVersion().get(),
                    answer.getModelVersion(),
                    Kind.MODEL_NOT_FOUND);
        }
        Raw raw = raw(answer, shared);
        List<Tensor> tensors = new ArrayList<>(answer.getOutputsCount());
        Set<String> names = new HashSet<>();
        for (int output = 0; output < answer.getOutputsCount(); output++) {
            InferOutputTensor tensor = answer.getOutputs(output);
            if (!names.add(tensor.getName())) {
                throw invalid(tensor.getName(), "comes twice");
            }
            if (wanted.isEmpty() || wanted.contains(tensor.getName())) {
                tensors.add(read(tensor, raw, output, shared.get(tensor.getName())));
            }
        }
        for (String name : wanted) {
            if (!names.contains(name)) {
                throw invalid(name, "is missing; the server sent " + names);
            }
        }
        return tensors;
    }

    private void requireAsked(String what, String asked, String answered, Kind kind)
            throws SidecarException {
        if (!asked.equals(answered)) {
            throw kind.exception(
                    "%s: %s '%s' was asked for, and '%s' answered"
                            .formatted(options, what, shown(asked), shown(answered)));
        }
    }

    private static String shown(String text) {
        return (text.length() <= 100 ? text : text.substring(0, 100) + "…")
                .replaceAll("\\p{Cntrl}", " ");
    }

    /** Which raw contents are whose; -1 for outputs that have none. */
    private record Raw(ModelInferResponse answer, int[] index) {}

    /**
     * There is one for each output that is not in shared memory. Triton adds an empty one for those
     * that are.
     */
    private Raw raw(ModelInferResponse answer, Map<String, Lease> shared) throws SidecarException {
        int outputs = answer.getOutputsCount();
        int[] index = new int[outputs];
        int count = answer.getRawOutputContentsCount();
        if (count == outputs) {
            Arrays.setAll(index, output -> output);
            return new Raw(answer, index);
        }
        int inline = 0;
        for (int output = 0; output < outputs; output++) {
            boolean elsewhere = shared.containsKey(answer.getOutputs(output).getName());
            index[output] = count == 0 || elsewhere ? -1 : inline++;
        }
        if (inline != count) {
            throw Kind.INVALID_TENSOR.exception(
                    "%s: the answer has %d outputs and %d raw contents"
                            .formatted(options, outputs, count));
        }
        return new Raw(answer, index);
    }

    private Tensor read(InferOutputTensor output, Raw raw, int position, Lease lease)
            throws SidecarException {
        TensorDataType type = type(output);
        long[] shape = output.getShapeList().stream().mapToLong(Long::longValue).toArray();
        try {
            ByteBuffer contents = contents(output, type, shape, raw, position, lease);
            Tensor tensor = new Tensor(output.getName(), type, shape, contents);
            if (type == TensorDataType.BYTES) {
                requireElements(tensor);
            }
            return tensor;
        } catch (IllegalArgumentException | ArithmeticException e) {
            throw invalid(output.getName(), "does not hold what it says: " + e.getMessage());
        }
    }

    private TensorDataType type(InferOutputTensor output) throws SidecarException {
        try {
            return TensorDataType.valueOf(output.getDatatype());
        } catch (IllegalArgumentException e) {
            throw invalid(
                    output.getName(),
                    "is of the unknown type '%s'; known are %s"
                            .formatted(
                                    shown(output.getDatatype()),
                                    Arrays.toString(TensorDataType.values())));
        }
    }

    private ByteBuffer contents(
            InferOutputTensor output,
            TensorDataType type,
            long[] shape,
            Raw raw,
            int position,
            Lease lease)
            throws SidecarException {
        ByteString inline =
                raw.index[position] < 0
                        ? ByteString.EMPTY
                        : raw.answer.getRawOutputContents(raw.index[position]);
        boolean typed = output.hasContents() && output.getContents().getSerializedSize() > 0;
        if (typed && !inline.isEmpty()) {
            throw invalid(output.getName(), "has raw and typed contents");
        }
        if (typed) {
            return TypedContents.toRaw(type, output.getContents());
        }
        requireOwnRegion(output, lease);
        // A server may send inline what it was asked to place in shared memory.
        if (lease == null || !inline.isEmpty()) {
            return inline.asReadOnlyByteBuffer();
        }
        long bytes = type.byteSize();
        for (long dimension : shape) {
            bytes = Math.multiplyExact(bytes, dimension);
        }
        if (bytes < 0 || bytes > lease.size()) {
            throw invalid(
                    output.getName(),
                    "%s of %s does not fit the %d bytes that it was given"
                            .formatted(Arrays.toString(shape), type, lease.size()));
        }
        return lease.bytes().slice(0, (int) bytes);
    }

    private void requireOwnRegion(InferOutputTensor output, Lease lease) throws SidecarException {
        InferParameter region = output.getParametersMap().get(SharedMemoryParameters.REGION);
        if (region == null) {
            return;
        }
        InferParameter offset = output.getParametersMap().get(SharedMemoryParameters.OFFSET);
        if (lease == null
                || !region.getStringParam().equals(lease.area().name())
                || (offset != null && offset.getInt64Param() != lease.offset())) {
            throw invalid(output.getName(), "is in shared memory that was not offered for it");
        }
    }

    /** That as many elements as the shape says fill the contents exactly. */
    private static void requireElements(Tensor tensor) {
        ByteBuffer contents = tensor.contents().order(ByteOrder.LITTLE_ENDIAN);
        long elements = 0;
        while (contents.remaining() >= Integer.BYTES) {
            int length = contents.getInt();
            if (length < 0 || length > contents.remaining()) {
                throw new IllegalArgumentException("an element reaches past the end");
            }
            contents.position(contents.position() + length);
            elements++;
        }
        if (contents.hasRemaining() || elements != tensor.elements()) {
            throw new IllegalArgumentException(
                    "it has %d elements and %d bytes more, its shape %s asks for %d"
                            .formatted(
                                    elements,
                                    contents.remaining(),
                                    Arrays.stream(tensor.shape())
                                            .mapToObj(Long::toString)
                                            .collect(Collectors.joining(", ", "[", "]")),
                                    tensor.elements()));
        }
    }

    private SidecarException invalid(String output, String what) {
        return Kind.INVALID_TENSOR.exception(
                "%s: output '%s' %s".formatted(options, shown(output), what));
    }
}
