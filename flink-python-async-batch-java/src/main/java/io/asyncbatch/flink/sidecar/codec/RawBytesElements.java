package io.asyncbatch.flink.sidecar.codec;

/** Byte strings, such as encoded images. Stateless. */
final class RawBytesElements extends BytesElements {

    private static final long serialVersionUID = 1L;

    @Override
    void set(byte[][] array, int index, Object value) {
        if (!(value instanceof byte[] element)) {
            throw UnfitElementException.wrongClass(value, byte[].class);
        }
        array[index] = element;
    }

    @Override
    Object get(byte[][] array, int index) {
        return array[index];
    }
}
