package io.asyncbatch.flink.arrow;

import java.util.ArrayList;
import java.util.List;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.ForeignAllocation;
import org.apache.arrow.memory.util.MemoryUtil;
import org.apache.arrow.vector.BufferLayout;
import org.apache.arrow.vector.BufferLayout.BufferType;
import org.apache.arrow.vector.TypeLayout;
import org.apache.arrow.vector.ipc.message.ArrowFieldNode;
import org.apache.arrow.vector.ipc.message.ArrowRecordBatch;
import org.apache.arrow.vector.types.pojo.Field;
import org.apache.arrow.vector.types.pojo.Schema;

/**
 * Walks the structs of the Arrow C Data Interface that describe a record batch of another party in
 * this process, and makes a batch of views of its columns. Checks that the structs are those of the
 * schema; what they point to is trusted. Used by one thread for one batch.
 */
final class BorrowedBatch {

    private final BufferAllocator allocator;
    private final List<ArrowFieldNode> nodes = new ArrayList<>();
    private final List<ArrowBuf> buffers = new ArrayList<>();

    private BorrowedBatch(BufferAllocator allocator) {
        this.allocator = allocator;
    }

    /**
     * @param struct address of the {@code struct ArrowArray}; left as it is
     * @return views, valid for as long as the batch is
     */
    static ArrowRecordBatch view(
            long struct, Schema schema, int expectedRows, BufferAllocator allocator) {
        BorrowedBatch batch = new BorrowedBatch(allocator);
        try {
            batch.walkColumns(struct, schema.getFields(), expectedRows);
            // Takes references of its own.
            return new ArrowRecordBatch(expectedRows, batch.nodes, batch.buffers);
        } finally {
            batch.buffers.forEach(ArrowBuf::close);
        }
    }

    private void walkColumns(long struct, List<Field> columns, int expectedRows) {
        if (CDataStruct.get(struct, CDataStruct.RELEASE) == 0) {
            throw new MalformedBatchException("There is no record batch in the struct.");
        }
        long rows = CDataStruct.get(struct, CDataStruct.LENGTH);
        if (rows != expectedRows) {
            throw new MalformedBatchException(
                    "Expected " + expectedRows + " rows, the record batch has " + rows);
        }
        require(struct, "", CDataStruct.OFFSET, "offset", 0);
        requireChildren(struct, "", columns);
        for (int i = 0; i < columns.size(); i++) {
            Field column = columns.get(i);
            long child = CDataStruct.pointer(struct, CDataStruct.CHILDREN, i);
            require(child, column.getName(), CDataStruct.LENGTH, "length", rows);
            walk(child, column, column.getName());
        }
    }

    private void walk(long struct, Field field, String path) {
        long length = CDataStruct.get(struct, CDataStruct.LENGTH);
        long nulls = CDataStruct.get(struct, CDataStruct.NULL_COUNT);
        if (length < 0 || nulls < 0 || nulls > length) {
            throw malformed(path, "has length=" + length + " and nullCount=" + nulls);
        }
        require(struct, path, CDataStruct.OFFSET, "offset", 0);
        require(struct, path, CDataStruct.DICTIONARY, "dictionary", 0);
        List<BufferLayout> layout = TypeLayout.getTypeLayout(field.getType()).getBufferLayouts();
        require(struct, path, CDataStruct.BUFFER_COUNT, "buffers", layout.size());
        requireChildren(struct, path, field.getChildren());

        nodes.add(new ArrowFieldNode(length, nulls));
        // Of types of variable width the last offset says how much data there is.
        long dataBytes = -1;
        for (int i = 0; i < layout.size(); i++) {
            BufferLayout kind = layout.get(i);
            long address = CDataStruct.pointer(struct, CDataStruct.BUFFERS, i);
            long bits = kind.getTypeBitWidth();
            if (kind.getType() == BufferType.VALIDITY && address == 0) {
                if (nulls > 0) {
                    throw malformed(path, "has nulls, but does not say where");
                }
                buffers.add(allocator.getEmpty());
            } else if (kind.getType() == BufferType.OFFSET) {
                boolean none = length == 0 && address == 0;
                buffers.add(wrap(address, none ? 0 : (length + 1) * bits / 8, path));
                dataBytes = none ? 0 : lastOffset(address, length, bits);
            } else if (kind.getType() == BufferType.DATA && dataBytes >= 0) {
                buffers.add(wrap(address, dataBytes, path));
            } else {
                buffers.add(wrap(address, (length * bits + 7) / 8, path));
            }
        }
        for (int i = 0; i < field.getChildren().size(); i++) {
            Field child = field.getChildren().get(i);
            walk(
                    CDataStruct.pointer(struct, CDataStruct.CHILDREN, i),
                    child,
                    path + "." + child.getName());
        }
    }

    private static long lastOffset(long address, long length, long bits) {
        long last = address + length * bits / 8;
        return bits == Long.SIZE ? MemoryUtil.getLong(last) : MemoryUtil.getInt(last);
    }

    private ArrowBuf wrap(long address, long bytes, String path) {
        if (bytes == 0) {
            return allocator.getEmpty();
        }
        if (address == 0 || bytes < 0) {
            throw malformed(path, "lacks a buffer of " + bytes + " bytes");
        }
        return allocator.wrapForeignAllocation(
                new ForeignAllocation(bytes, address) {
                    @Override
                    protected void release0() {
                        // The other party owns the memory.
                    }
                });
    }

    private static void requireChildren(long struct, String path, List<Field> children) {
        require(struct, path, CDataStruct.CHILD_COUNT, "children", children.size());
    }

    private static void require(long struct, String path, int field, String name, long expected) {
        long found = CDataStruct.get(struct, field);
        if (found != expected) {
            throw malformed(path, "has " + name + "=" + found + ", not " + expected);
        }
    }

    private static MalformedBatchException malformed(String path, String what) {
        return new MalformedBatchException(
                "Field '" + path + "' of the record batch " + what + ".");
    }
}
