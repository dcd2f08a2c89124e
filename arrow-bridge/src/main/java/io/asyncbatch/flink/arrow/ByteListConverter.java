package io.asyncbatch.flink.arrow;

import java.util.ArrayList;
import java.util.List;
import org.apache.arrow.vector.VarBinaryVector;

/**
 * {@code List<Byte>} as binary, since PyFlink's coder hands it to Python as bytes. Owned by its
 * writer's or reader's thread.
 */
final class ByteListConverter extends FieldConverter {

    private final VarBinaryVector vector;

    ByteListConverter(VarBinaryVector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
    }

    @Override
    void put(int index, Object value) {
        if (!(value instanceof List<?> list)) {
            throw wrongClass(value);
        }
        byte[] bytes = new byte[list.size()];
        int i = 0;
        for (Object element : list) {
            if (!(element instanceof Byte b)) {
                throw element == null ? misfit("a null element") : wrongClass(element);
            }
            bytes[i++] = b;
        }
        vector.setSafe(index, bytes);
    }

    @Override
    Object get(int index) {
        byte[] bytes = vector.get(index);
        List<Byte> list = new ArrayList<>(bytes.length);
        for (byte b : bytes) {
            list.add(b);
        }
        return list;
    }
}
