package io.asyncbatch.flink.sidecar.codec;

import io.asyncbatch.flink.sidecar.TensorDataType;
import java.nio.ByteBuffer;

/** Bytes: signed ones, or as {@link TensorDataType#UINT8} those whose bits are meant. Stateless. */
final class ByteElements extends NumericElements<byte[]> {

    private static final long serialVersionUID = 1L;

    ByteElements() {
        super(
                byte[].class,
                types(TensorDataType.INT8, TensorDataType.UINT8),
                types(TensorDataType.INT8));
    }

    @Override
    boolean isOwn(TensorDataType type) {
        return type == TensorDataType.INT8 || type == TensorDataType.UINT8;
    }

    @Override
    byte[] allocate(int length) {
        return new byte[length];
    }

    @Override
    int length(byte[] array) {
        return array.length;
    }

    @Override
    void set(byte[] array, int index, Object value) {
        if (!(value instanceof Byte element)) {
            throw UnfitElementException.wrongClass(value, Byte.class);
        }
        array[index] = element;
    }

    @Override
    Object get(byte[] array, int index) {
        return array[index];
    }

    @Override
    void copyIn(byte[] array, ByteBuffer target) {
        target.duplicate().put(array);
    }

    @Override
    void copyOut(ByteBuffer source, byte[] array) {
        source.duplicate().get(array);
    }

    @Override
    void convertIn(byte[] array, TensorDataType type, ByteBuffer target) {
        throw noConversion(type);
    }

    @Override
    void convertOut(ByteBuffer source, TensorDataType type, byte[] array) {
        throw noConversion(type);
    }

    /** As a number a byte could be meant either way, so it becomes no other type. */
    private static IllegalStateException noConversion(TensorDataType type) {
        return new IllegalStateException("a byte is not converted to or from " + type);
    }
}
