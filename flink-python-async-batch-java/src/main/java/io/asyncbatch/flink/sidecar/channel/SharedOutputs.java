package io.asyncbatch.flink.sidecar.channel;

import io.asyncbatch.flink.proto.inference.ModelMetadataResponse;
import io.asyncbatch.flink.proto.inference.ModelMetadataResponse.TensorMetadata;
import io.asyncbatch.flink.sidecar.TensorDataType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * The outputs whose size is known before the model runs, since only the number of rows varies.
 * Immutable.
 */
final class SharedOutputs {

    static final SharedOutputs NONE = new SharedOutputs(Map.of());

    /** Bytes of a row by name, in the model's order; empty where they vary. */
    private final Map<String, OptionalLong> rowBytes;

    private SharedOutputs(Map<String, OptionalLong> rowBytes) {
        this.rowBytes = rowBytes;
    }

    static SharedOutputs of(ModelMetadataResponse model) {
        Map<String, OptionalLong> rowBytes = new LinkedHashMap<>();
        for (TensorMetadata output : model.getOutputsList()) {
            rowBytes.put(output.getName(), rowBytes(output));
        }
        return new SharedOutputs(rowBytes);
    }

    private static OptionalLong rowBytes(TensorMetadata output) {
        try {
            long bytes = TensorDataType.valueOf(output.getDatatype()).byteSize();
            for (int axis = 1; axis < output.getShapeCount(); axis++) {
                bytes = Math.multiplyExact(bytes, Math.max(0, output.getShape(axis)));
            }
            boolean batched = output.getShapeCount() > 0 && output.getShape(0) < 0;
            return bytes > 0 && batched ? OptionalLong.of(bytes) : OptionalLong.empty();
        } catch (IllegalArgumentException | ArithmeticException e) {
            return OptionalLong.empty();
        }
    }

    /** What to ask for by name where one output is to go into shared memory. */
    List<String> names(List<String> wanted) {
        return wanted.isEmpty() ? List.copyOf(rowBytes.keySet()) : wanted;
    }

    /** Bytes of an output for that many rows; 0 if they cannot be told. */
    long bytes(String output, long rows) {
        OptionalLong row = rowBytes.getOrDefault(output, OptionalLong.empty());
        return row.isEmpty() || rows > Integer.MAX_VALUE / row.getAsLong()
                ? 0
                : row.getAsLong() * rows;
    }
}
