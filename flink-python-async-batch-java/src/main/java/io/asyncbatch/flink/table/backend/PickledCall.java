package io.asyncbatch.flink.table.backend;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * The call of a Python function as Python's pickle writes it, in protocol 2: a job of SQL has no
 * Python at hand to pickle with, and a worker takes nothing else. Stateless.
 */
final class PickledCall {

    private PickledCall() {}

    /**
     * @param arguments texts and ints
     */
    static byte[] of(String module, String function, Object... arguments) {
        try (ByteArrayOutputStream pickle = new ByteArrayOutputStream()) {
            pickle.write(new byte[] {(byte) 0x80, 2});
            pickle.write(("c" + module + "\n" + function + "\n").getBytes(StandardCharsets.UTF_8));
            pickle.write('(');
            for (Object argument : arguments) {
                writeArgument(pickle, argument);
            }
            pickle.write(new byte[] {'t', 'R', '.'});
            return pickle.toByteArray();
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
    }

    private static void writeArgument(ByteArrayOutputStream pickle, Object argument)
            throws IOException {
        if (argument instanceof Integer number) {
            pickle.write('J');
            pickle.write(int32(number));
        } else {
            byte[] text = ((String) argument).getBytes(StandardCharsets.UTF_8);
            pickle.write('X');
            pickle.write(int32(text.length));
            pickle.write(text);
        }
    }

    private static byte[] int32(int value) {
        return ByteBuffer.allocate(Integer.BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(value)
                .array();
    }
}
