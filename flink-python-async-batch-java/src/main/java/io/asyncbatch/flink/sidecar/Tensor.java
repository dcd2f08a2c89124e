package io.asyncbatch.flink.sidecar;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Objects;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A named tensor as it travels: little-endian, row-major, without padding. Immutable; who hands
 * over the contents does not change them afterwards. Any thread may read it.
 */
@PublicEvolving
public final class Tensor {

    private final String name;
    private final TensorDataType dataType;
    private final long[] shape;
    private final ByteBuffer contents;

    /**
     * @param shape the first dimension is the batch's; none is negative
     * @param contents from its position to its limit; not copied
     * @throws IllegalArgumentException if the contents do not have the size that shape and type ask
     *     for. Of {@link TensorDataType#BYTES} only that there is room for the elements' lengths is
     *     seen here, the rest when they are read.
     */
    public Tensor(String name, TensorDataType dataType, long[] shape, ByteBuffer contents) {
        this.name = Objects.requireNonNull(name, "name");
        this.dataType = Objects.requireNonNull(dataType, "dataType");
        this.shape = shape.clone();
        this.contents = contents.slice().asReadOnlyBuffer();
        long elements = elements(name, this.shape);
        if (dataType == TensorDataType.BYTES) {
            requirePrefixes(elements);
        } else {
            requireSize(elements);
        }
    }

    private void requirePrefixes(long elements) {
        if (elements > contents.remaining() / Integer.BYTES) {
            throw new IllegalArgumentException(
                    "tensor '%s' of BYTES %s needs 4 bytes for the length of each of %d elements, its contents have %d bytes"
                            .formatted(
                                    name, Arrays.toString(shape), elements, contents.remaining()));
        }
    }

    private void requireSize(long elements) {
        boolean fits =
                elements <= Integer.MAX_VALUE / dataType.byteSize()
                        && elements * dataType.byteSize() == contents.remaining();
        if (!fits) {
            throw new IllegalArgumentException(
                    "tensor '%s' of %s %s needs %s elements of %d bytes, its contents have %d bytes"
                            .formatted(
                                    name,
                                    dataType,
                                    Arrays.toString(shape),
                                    elements,
                                    dataType.byteSize(),
                                    contents.remaining()));
        }
    }

    private static long elements(String name, long[] shape) {
        long elements = 1;
        for (long dimension : shape) {
            if (dimension < 0) {
                throw new IllegalArgumentException(
                        "tensor '%s' has a negative dimension: %s"
                                .formatted(name, Arrays.toString(shape)));
            }
            try {
                elements = Math.multiplyExact(elements, dimension);
            } catch (ArithmeticException e) {
                throw new IllegalArgumentException(
                        "tensor '%s' has more elements than a long counts: %s"
                                .formatted(name, Arrays.toString(shape)));
            }
        }
        return elements;
    }

    public String name() {
        return name;
    }

    public TensorDataType dataType() {
        return dataType;
    }

    public long[] shape() {
        return shape.clone();
    }

    /** The product of the dimensions. */
    public long elements() {
        return elements(name, shape);
    }

    /** A view of its own, read-only, little-endian, from position 0. */
    public ByteBuffer contents() {
        return contents.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Without the contents. */
    @Override
    public String toString() {
        return "%s: %s %s".formatted(name, dataType, Arrays.toString(shape));
    }
}
