package io.asyncbatch.flink.sidecar.codec;

import org.apache.flink.table.data.StringData;

/** The table runtime's text, which is UTF-8 already. Stateless. */
final class StringDataElements extends BytesElements {

    private static final long serialVersionUID = 1L;

    @Override
    void set(byte[][] array, int index, Object value) {
        if (!(value instanceof StringData text)) {
            throw UnfitElementException.wrongClass(value, StringData.class);
        }
        array[index] = text.toBytes();
    }

    @Override
    Object get(byte[][] array, int index) {
        // For the check: the table runtime would find out much later.
        Utf8.decode(array[index]);
        return StringData.fromBytes(array[index]);
    }
}
