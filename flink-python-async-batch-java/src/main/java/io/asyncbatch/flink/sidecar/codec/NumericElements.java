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
     * Writes all elements in a type that is not their own, and moves the position by each: the loop
     * is the subclass's, where it is compiled for one type.
     *
     * @throws UnfitElementException at the position of an element that the type does not hold
     */
    abstract void convertIn(A array, TensorDataType type, ByteBuffer target);

    /**
     * Reads all elements from a type that is not their own, and moves the position by each.
     *
     * @throws UnfitElementException behind an element that the Java type does not hold
     */
    abstract void convertOut(ByteBuffer source, TensorDataType type, A array);

    @Override
    final void write(A array, TensorDataType type, ByteBuffer target) {
        int start = target.position();
        if (isOwn(type)) {
            copyIn(array, target);
            target.position(start + length(array) * type.byteSize());
            return;
        }
        try {
            convertIn(array, type, target);
        } catch (UnfitElementException e) {
            throw e.at((target.position() - start) / type.byteSize());
        }
    }

    @Override
    final void read(ByteBuffer source, TensorDataType type, A array) {
        int start = source.position();
        if (isOwn(type)) {
            copyOut(source, array);
            source.position(start + length(array) * type.byteSize());
            return;
        }
        try {
            convertOut(source, type, array);
        } catch (UnfitElementException e) {
            throw e.at((source.position() - start) / type.byteSize() - 1);
        }
    }
}
