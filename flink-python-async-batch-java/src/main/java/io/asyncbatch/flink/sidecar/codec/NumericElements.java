package io.asyncbatch.flink.sidecar.codec;

import io.asyncbatch.flink.sidecar.TensorDataType;
import java.nio.ByteBuffer;
import java.util.List;

/** Numbers: copied in bulk where Java and the tensor have the same type, else one by one. */
abstract class NumericElements<A> extends Elements<A> {

    private static final long serialVersionUID = 1L;

    NumericElements(
            Class<A> arrayClass, List<TensorDataType> dataTypes, List<TensorDataType> accepted) {
        super(arrayClass, dataTypes, accepted);
    }

    /** Whether the type has the bits that Java's own has. */
    boolean isOwn(TensorDataType type) {
        return type == ownType();
    }

    /** Copies the whole array; does not move the position. */
    abstract void copyIn(A array, ByteBuffer target);

    /** Fills the whole array; does not move the position. */
    abstract void copyOut(ByteBuffer source, A array);

    /**
     * Writes one element in a type that is not its own.
     *
     * @throws UnfitElementException if the type does not hold it
     */
    abstract void convertIn(A array, int index, TensorDataType type, ByteBuffer target);

    /**
     * Reads one element from a type that is not its own.
     *
     * @throws UnfitElementException if the Java type does not hold it
     */
    abstract void convertOut(ByteBuffer source, TensorDataType type, A array, int index);

    @Override
    final void write(A array, TensorDataType type, ByteBuffer target) {
        int length = length(array);
        if (isOwn(type)) {
            copyIn(array, target);
            target.position(target.position() + length * type.byteSize());
            return;
        }
        int index = 0;
        try {
            for (; index < length; index++) {
                convertIn(array, index, type, target);
            }
        } catch (UnfitElementException e) {
            throw e.at(index);
        }
    }

    @Override
    final void read(ByteBuffer source, TensorDataType type, A array) {
        int length = length(array);
        if (isOwn(type)) {
            copyOut(source, array);
            source.position(source.position() + length * type.byteSize());
            return;
        }
        int index = 0;
        try {
            for (; index < length; index++) {
                convertOut(source, type, array, index);
            }
        } catch (UnfitElementException e) {
            throw e.at(index);
        }
    }
}
