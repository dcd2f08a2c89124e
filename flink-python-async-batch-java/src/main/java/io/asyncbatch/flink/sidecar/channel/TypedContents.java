package io.asyncbatch.flink.sidecar.channel;

import com.google.protobuf.ByteString;
import io.asyncbatch.flink.proto.inference.InferTensorContents;
import io.asyncbatch.flink.sidecar.TensorDataType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Turns contents that a server sent as typed values into the raw form. Stateless. */
final class TypedContents {

    private TypedContents() {}

    /**
     * @return from position 0 to the limit
     * @throws IllegalArgumentException if the type has no typed form, or a value does not fit it
     */
    static ByteBuffer toRaw(TensorDataType type, InferTensorContents contents) {
        return switch (type) {
            case BOOL -> {
                ByteBuffer raw = buffer(contents.getBoolContentsCount());
                contents.getBoolContentsList().forEach(value -> raw.put((byte) (value ? 1 : 0)));
                yield raw.flip();
            }
            case INT8 -> {
                ByteBuffer raw = buffer(contents.getIntContentsCount());
                contents.getIntContentsList()
                        .forEach(value -> raw.put((byte) within(type, value, -128, 127)));
                yield raw.flip();
            }
            case INT16 -> {
                ByteBuffer raw = buffer(2L * contents.getIntContentsCount());
                contents.getIntContentsList()
                        .forEach(
                                value ->
                                        raw.putShort((short) within(type, value, -32_768, 32_767)));
                yield raw.flip();
            }
            case INT32 -> {
                ByteBuffer raw = buffer(4L * contents.getIntContentsCount());
                contents.getIntContentsList().forEach(raw::putInt);
                yield raw.flip();
            }
            case INT64 -> {
                ByteBuffer raw = buffer(8L * contents.getInt64ContentsCount());
                contents.getInt64ContentsList().forEach(raw::putLong);
                yield raw.flip();
            }
            case UINT8 -> {
                ByteBuffer raw = buffer(contents.getUintContentsCount());
                contents.getUintContentsList()
                        .forEach(value -> raw.put((byte) within(type, value, 0, 255)));
                yield raw.flip();
            }
            case UINT16 -> {
                ByteBuffer raw = buffer(2L * contents.getUintContentsCount());
                contents.getUintContentsList()
                        .forEach(value -> raw.putShort((short) within(type, value, 0, 65_535)));
                yield raw.flip();
            }
            case UINT32 -> {
                ByteBuffer raw = buffer(4L * contents.getUintContentsCount());
                contents.getUintContentsList().forEach(raw::putInt);
                yield raw.flip();
            }
            case UINT64 -> {
                ByteBuffer raw = buffer(8L * contents.getUint64ContentsCount());
                contents.getUint64ContentsList().forEach(raw::putLong);
                yield raw.flip();
            }
            case FP32 -> {
                ByteBuffer raw = buffer(4L * contents.getFp32ContentsCount());
                contents.getFp32ContentsList().forEach(raw::putFloat);
                yield raw.flip();
            }
            case FP64 -> {
                ByteBuffer raw = buffer(8L * contents.getFp64ContentsCount());
                contents.getFp64ContentsList().forEach(raw::putDouble);
                yield raw.flip();
            }
            case BYTES -> {
                long bytes = 4L * contents.getBytesContentsCount();
                for (ByteString value : contents.getBytesContentsList()) {
                    bytes += value.size();
                }
                ByteBuffer raw = buffer(bytes);
                for (ByteString value : contents.getBytesContentsList()) {
                    raw.putInt(value.size());
                    value.copyTo(raw);
                }
                yield raw.flip();
            }
            case FP16, BF16 -> throw new IllegalArgumentException(type + " has no typed contents");
        };
    }

    private static ByteBuffer buffer(long bytes) {
        return ByteBuffer.allocate(Math.toIntExact(bytes)).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static int within(TensorDataType type, int value, int least, int most) {
        if (value < least || value > most) {
            throw new IllegalArgumentException("a value is out of the range of " + type);
        }
        return value;
    }
}
