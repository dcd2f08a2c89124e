package io.asyncbatch.flink.worker.memory;

import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.annotation.Internal;

/**
 * Which parts of a piece of memory are taken. Always gives out the lowest part that is large
 * enough, so that as few pages as possible are ever touched, and those again and again. Not
 * thread-safe.
 */
@Internal
public final class RegionTable {

    /** Regions begin and end at pages, so that no two processes write to one. */
    public static final long PAGE_BYTES = 4096;

    private final TreeMap<Long, Long> free = new TreeMap<>();
    private final TreeMap<Long, Long> taken = new TreeMap<>();
    private long takenBytes;

    /**
     * @param bytes size of the memory, a multiple of {@link #PAGE_BYTES}
     */
    public RegionTable(long bytes) {
        if (bytes < PAGE_BYTES || bytes % PAGE_BYTES != 0) {
            throw new IllegalArgumentException("bytes must be pages, got " + bytes);
        }
        free.put(0L, bytes);
    }

    /**
     * @return where a region of at least so many bytes begins, or -1 if there is none
     */
    public long take(long bytes) {
        long size = Math.max(1, (bytes + PAGE_BYTES - 1) / PAGE_BYTES) * PAGE_BYTES;
        for (Map.Entry<Long, Long> part : free.entrySet()) {
            if (part.getValue() >= size) {
                long offset = part.getKey();
                long rest = part.getValue() - size;
                free.remove(offset);
                if (rest > 0) {
                    free.put(offset + size, rest);
                }
                taken.put(offset, size);
                takenBytes += size;
                return offset;
            }
        }
        return -1;
    }

    /**
     * @throws IllegalArgumentException if no region that is taken begins there
     */
    public void giveBack(long offset) {
        Long size = taken.remove(offset);
        if (size == null) {
            throw new IllegalArgumentException("no region is taken at offset " + offset);
        }
        takenBytes -= size;
        long begin = offset;
        long bytes = size;
        Map.Entry<Long, Long> before = free.lowerEntry(offset);
        if (before != null && before.getKey() + before.getValue() == offset) {
            begin = before.getKey();
            bytes += before.getValue();
        }
        Long after = free.remove(offset + size);
        if (after != null) {
            bytes += after;
        }
        free.put(begin, bytes);
    }

    public long takenBytes() {
        return takenBytes;
    }
}
