package io.asyncbatch.flink.arrow;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.apache.arrow.flatbuf.Buffer;
import org.apache.arrow.flatbuf.FieldNode;
import org.apache.arrow.flatbuf.RecordBatch;
import org.apache.arrow.vector.types.pojo.ArrowType;
import org.apache.arrow.vector.types.pojo.Field;
import org.apache.arrow.vector.types.pojo.Schema;

/**
 * Walks a record batch as its schema lays it out and checks, before any vector sees it, that every
 * length fits the bytes that are there and every offset stays within them. Used by one thread for
 * one batch.
 */
final class BatchLayout {

    private final RecordBatch batch;
    private final ByteBuffer body;
    private int nextNode;
    private int nextBuffer;

    private BatchLayout(RecordBatchMessage message) {
        this.batch = message.batch();
        this.body = message.body().duplicate().order(ByteOrder.LITTLE_ENDIAN);
    }

    static void check(Schema schema, RecordBatchMessage message, int expectedRows) {
        try {
            new BatchLayout(message).checkBatch(schema.getFields(), expectedRows);
        } catch (IndexOutOfBoundsException | IllegalArgumentException e) {
            throw new MalformedBatchException("The metadata of the record batch is damaged.", e);
        }
    }

    private void checkBatch(List<Field> columns, int expectedRows) {
        if (batch.length() != expectedRows) {
            throw new MalformedBatchException(
                    "Expected " + expectedRows + " rows, the record batch has " + batch.length());
        }
        if (batch.variadicBufferCountsLength() != 0) {
            throw new MalformedBatchException("The record batch has variadic buffers.");
        }
        for (Field column : columns) {
            long length = checkField(column, column.getName());
            if (length != expectedRows) {
                throw malformed(column.getName(), "has " + length + " values, not " + expectedRows);
            }
        }
        if (nextNode != batch.nodesLength() || nextBuffer != batch.buffersLength()) {
            throw new MalformedBatchException(
                    String.format(
                            "The schema has %d fields and %d buffers, the record batch %d and %d.",
                            nextNode, nextBuffer, batch.nodesLength(), batch.buffersLength()));
        }
    }

    /** Checks the field and all below it, and returns its length. */
    private long checkField(Field field, String path) {
        FieldNode node = nextNode < batch.nodesLength() ? batch.nodes(nextNode++) : null;
        if (node == null) {
            throw malformed(path, "is missing");
        }
        long length = node.length();
        if (length < 0 || length > Integer.MAX_VALUE - 8) {
            throw malformed(path, "has length=" + length);
        }
        checkValidity(node, nextBuffer(path), path);
        ArrowType type = field.getType();
        if (type instanceof ArrowType.Struct) {
            for (Field member : field.getChildren()) {
                long members = checkField(member, path + "." + member.getName());
                if (members != length) {
                    throw malformed(path, "has " + length + " structs but " + members + " members");
                }
            }
        } else if (type instanceof ArrowType.List || type instanceof ArrowType.Map) {
            long last = lastOffset(nextBuffer(path), length, path);
            long children = checkField(field.getChildren().get(0), path + "[]");
            if (last > children) {
                throw malformed(path, "ends at offset " + last + " of " + children + " values");
            }
        } else if (type instanceof ArrowType.Utf8 || type instanceof ArrowType.Binary) {
            long last = lastOffset(nextBuffer(path), length, path);
            checkSize(nextBuffer(path), last, path);
        } else {
            checkSize(nextBuffer(path), (length * bitWidth(type) + 7) / 8, path);
        }
        return length;
    }

    private static void checkValidity(FieldNode node, Buffer validity, String path) {
        long nulls = node.nullCount();
        if (nulls < 0 || nulls > node.length()) {
            throw malformed(path, "has nullCount=" + nulls);
        }
        // Left out when there is no null.
        if (nulls > 0 || validity.length() > 0) {
            checkSize(validity, (node.length() + 7) / 8, path);
        }
    }

    private long lastOffset(Buffer offsets, long length, String path) {
        if (length == 0) {
            return 0;
        }
        checkSize(offsets, (length + 1) * Integer.BYTES, path);
        int position = (int) offsets.offset();
        int previous = 0;
        for (long i = 0; i <= length; i++, position += Integer.BYTES) {
            int offset = body.getInt(position);
            if (offset < previous) {
                throw malformed(path, "has offset " + offset + " after " + previous);
            }
            previous = offset;
        }
        return previous;
    }

    private Buffer nextBuffer(String path) {
        Buffer buffer = nextBuffer < batch.buffersLength() ? batch.buffers(nextBuffer++) : null;
        if (buffer == null) {
            throw malformed(path, "lacks a buffer");
        }
        long offset = buffer.offset();
        long length = buffer.length();
        if (offset < 0 || length < 0 || offset > body.limit() || length > body.limit() - offset) {
            throw malformed(
                    path,
                    "has a buffer at offset "
                            + offset
                            + " of length "
                            + length
                            + " in a body of "
                            + body.limit()
                            + " bytes");
        }
        return buffer;
    }

    private static void checkSize(Buffer buffer, long needed, String path) {
        if (buffer.length() < needed) {
            throw malformed(path, "needs " + needed + " bytes, its buffer has " + buffer.length());
        }
    }

    private static int bitWidth(ArrowType type) {
        if (type instanceof ArrowType.Bool) {
            return 1;
        }
        if (type instanceof ArrowType.Int number) {
            return number.getBitWidth();
        }
        if (type instanceof ArrowType.FloatingPoint number) {
            return switch (number.getPrecision()) {
                case HALF -> 16;
                case SINGLE -> 32;
                case DOUBLE -> 64;
            };
        }
        if (type instanceof ArrowType.Date) {
            return 32;
        }
        if (type instanceof ArrowType.Time time) {
            return time.getBitWidth();
        }
        if (type instanceof ArrowType.Timestamp) {
            return 64;
        }
        throw new IllegalStateException("No element type has Arrow type " + type);
    }

    private static MalformedBatchException malformed(String path, String what) {
        return new MalformedBatchException(
                "Field '" + path + "' of the record batch " + what + ".");
    }
}
