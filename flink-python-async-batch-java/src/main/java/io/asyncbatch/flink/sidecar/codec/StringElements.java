package io.asyncbatch.flink.sidecar.codec;

/** Text in UTF-8. Stateless. */
final class StringElements extends BytesElements {

    private static final long serialVersionUID = 1L;

    @Override
    void set(byte[][] array, int index, Object value) {
        if (!(value instanceof String text)) {
            throw UnfitElementException.wrongClass(value, String.class);
        }
        array[index] = Utf8.encode(text);
    }

    @Override
    Object get(byte[][] array, int index) {
        return Utf8.decode(array[index]);
    }
}
