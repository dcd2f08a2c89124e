package io.asyncbatch.flink.arrow;

import org.apache.arrow.memory.util.MemoryUtil;

/**
 * Where the fields of {@code struct ArrowArray} of the Arrow C Data Interface are, and how they are
 * reached. The struct lies in memory that the caller knows to be valid.
 */
final class CDataStruct {

    static final long BYTES = 80;

    static final int LENGTH = 0;
    static final int NULL_COUNT = 8;
    static final int OFFSET = 16;
    static final int BUFFER_COUNT = 24;
    static final int CHILD_COUNT = 32;
    static final int BUFFERS = 40;
    static final int CHILDREN = 48;
    static final int DICTIONARY = 56;
    static final int RELEASE = 64;
    static final int PRIVATE_DATA = 72;

    private CDataStruct() {}

    static long get(long struct, int field) {
        return MemoryUtil.getLong(struct + field);
    }

    static void put(long struct, int field, long value) {
        MemoryUtil.putLong(struct + field, value);
    }

    /** The pointer at an index of the array of pointers that a field holds. */
    static long pointer(long struct, int field, int index) {
        return MemoryUtil.getLong(get(struct, field) + (long) index * Long.BYTES);
    }
}
