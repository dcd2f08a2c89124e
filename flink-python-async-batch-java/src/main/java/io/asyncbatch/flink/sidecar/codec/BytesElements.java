package io.asyncbatch.flink.sidecar.codec;

import io.asyncbatch.flink.sidecar.TensorDataType;
import java.nio.ByteBuffer;

/**
 * Elements of any length: each is its length as four bytes, and then its bytes. A subclass knows
 * what records hold them as. Stateless.
 */
abstract class BytesElements extends Elements<byte[][]> {

    private static final long serialVersionUID = 1L;

    private static final int PREFIX = Integer.BYTES;

    BytesElements() {
        super(byte[][].class, types(TensorDataType.BYTES), types(TensorDataType.BYTES));
    }

    @Override
    final byte[][] allocate(int length) {
        return new byte[length][];
    }

    @Override
    final int length(byte[][] array) {
        return array.length;
    }

    @Override
    final long encodedBytes(byte[][] array, TensorDataType type) {
        long bytes = 0;
        for (byte[] element : array) {
            bytes += PREFIX + element.length;
        }
        return bytes;
    }

    @Override
    final void write(byte[][] array, TensorDataType type, ByteBuffer target) {
        for (byte[] element : array) {
            target.putInt(element.length).put(element);
        }
    }

    @Override
    final void read(ByteBuffer source, TensorDataType type, byte[][] array) {
        for (int i = 0; i < array.length; i++) {
            int left = source.remaining() - PREFIX;
            long length = left < 0 ? 0 : Integer.toUnsignedLong(source.getInt());
            if (length > left) {
                throw new UnfitElementException("goes past the end of the contents").at(i);
            }
            byte[] element = new byte[(int) length];
            source.get(element);
            array[i] = element;
        }
    }
}
