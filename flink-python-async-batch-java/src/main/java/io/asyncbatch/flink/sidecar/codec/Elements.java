package io.asyncbatch.flink.sidecar.codec;

import io.asyncbatch.flink.sidecar.TensorDataType;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.util.Collections;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Elements of one Java type and how they lie in a tensor; stateless. They are moved by the array,
 * so that a column is one copy where Java and the tensor have the same type.
 *
 * @param <A> the array that holds several of them
 */
abstract class Elements<A> implements Serializable {

    private static final long serialVersionUID = 1L;

    private final Class<A> arrayClass;
    private final List<TensorDataType> dataTypes;
    private final List<TensorDataType> accepted;

    /**
     * @param dataTypes what these elements may become, their own type first
     * @param accepted what they may come from without loss, their own type first
     */
    Elements(Class<A> arrayClass, List<TensorDataType> dataTypes, List<TensorDataType> accepted) {
        this.arrayClass = arrayClass;
        this.dataTypes = List.copyOf(dataTypes);
        this.accepted = List.copyOf(accepted);
    }

    /** The type that is Java's own, first, and then others, each once. */
    static List<TensorDataType> types(TensorDataType own, Set<TensorDataType> others) {
        Set<TensorDataType> types = new LinkedHashSet<>(Collections.singleton(own));
        types.addAll(others);
        return List.copyOf(types);
    }

    static List<TensorDataType> types(TensorDataType own, TensorDataType... others) {
        Set<TensorDataType> rest = EnumSet.noneOf(TensorDataType.class);
        Collections.addAll(rest, others);
        return types(own, rest);
    }

    final Class<A> arrayClass() {
        return arrayClass;
    }

    final TensorDataType ownType() {
        return dataTypes.get(0);
    }

    final List<TensorDataType> dataTypes() {
        return dataTypes;
    }

    final List<TensorDataType> accepted() {
        return accepted;
    }

    abstract A allocate(int length);

    abstract int length(A array);

    /**
     * Takes an element as records hold it.
     *
     * @throws UnfitElementException if it is null or of another class
     */
    abstract void set(A array, int index, Object value);

    /** An element as records hold it. */
    abstract Object get(A array, int index);

    /** What {@link #write} would write of the whole array. */
    long encodedBytes(A array, TensorDataType type) {
        return (long) length(array) * type.byteSize();
    }

    /**
     * Writes all elements at the position, which moves.
     *
     * @param type one of {@link #dataTypes}
     * @throws UnfitElementException with the index of an element that the type cannot hold
     */
    abstract void write(A array, TensorDataType type, ByteBuffer target);

    /**
     * Fills the array from the position, which moves.
     *
     * @param type one of {@link #accepted} or of {@link #dataTypes}
     * @throws UnfitElementException with the index of an element that does not fit, or that the
     *     source ends before
     */
    abstract void read(ByteBuffer source, TensorDataType type, A array);
}
