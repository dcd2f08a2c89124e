package io.asyncbatch.flink.sidecar.codec;

import io.asyncbatch.flink.sidecar.Tensor;
import io.asyncbatch.flink.sidecar.TensorDataType;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;

/** Tensors as the tests write them down; stateless. */
final class Bytes {

    private Bytes() {}

    static String hex(ByteBuffer contents) {
        byte[] bytes = new byte[contents.remaining()];
        contents.get(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    /**
     * @param typeAndShape as {@code Tensor.toString} has them
     */
    static Tensor tensor(String name, String typeAndShape, String hex) {
        String[] parts = typeAndShape.split("[ ,\\[\\]]+");
        long[] shape = Arrays.stream(parts).skip(1).mapToLong(Long::parseLong).toArray();
        return new Tensor(
                name,
                TensorDataType.valueOf(parts[0]),
                shape,
                ByteBuffer.wrap(HexFormat.of().parseHex(hex.replace(" ", ""))));
    }
}
