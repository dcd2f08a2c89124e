package io.asyncbatch.flink.arrow;

import org.apache.arrow.memory.AllocationManager;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.memory.rounding.RoundingPolicy;
import org.apache.arrow.memory.unsafe.UnsafeAllocationManager;

/**
 * An allocator whose buffers are cut, one after the other, from a region of shared memory while
 * there is one that has room, and come from private memory otherwise. Buffers are released as ever,
 * the region is given back by who took it. Used by one thread; buffers may be released by any.
 */
final class RegionAllocator extends RootAllocator {

    /** Alignment that Arrow recommends for buffers. */
    static final long ALIGNMENT = 64;

    /** Not to powers of two, by which a large batch would take up to twice its size. */
    private static final RoundingPolicy ROUND_TO_ALIGNMENT = RegionAllocator::align;

    private final Regions regions;
    private final String name;

    private RegionAllocator(Regions regions, String name, long limitBytes) {
        super(
                configBuilder()
                        .maxAllocation(limitBytes)
                        .roundingPolicy(ROUND_TO_ALIGNMENT)
                        .allocationManagerFactory(regions)
                        .build());
        this.regions = regions;
        this.name = name;
    }

    /**
     * @param name shows in errors
     * @param limitBytes most that buffers may hold, those in regions too
     */
    static RegionAllocator create(String name, long limitBytes) {
        return new RegionAllocator(new Regions(), name, limitBytes);
    }

    @Override
    public String getName() {
        return name;
    }

    static long align(long bytes) {
        return (bytes + ALIGNMENT - 1) & -ALIGNMENT;
    }

    /** Cuts buffers from here on, from the given bytes; without a region (address 0) from none. */
    void cutFrom(long address, long size) {
        regions.next = address;
        regions.end = address + size;
    }

    /** Address behind the last buffer that was cut. */
    long cutUpTo() {
        return regions.next;
    }

    private static final class Regions implements AllocationManager.Factory {

        private long next;
        private long end;

        @Override
        public AllocationManager create(BufferAllocator accountingAllocator, long size) {
            long aligned = align(size);
            if (aligned > end - next) {
                return UnsafeAllocationManager.FACTORY.create(accountingAllocator, size);
            }
            long address = next;
            next += aligned;
            return new Cut(accountingAllocator, address, size);
        }

        @Override
        public ArrowBuf empty() {
            return UnsafeAllocationManager.FACTORY.empty();
        }
    }

    /** A piece of a region. */
    private static final class Cut extends AllocationManager {

        private final long address;
        private final long size;

        Cut(BufferAllocator accountingAllocator, long address, long size) {
            super(accountingAllocator);
            this.address = address;
            this.size = size;
        }

        @Override
        protected long memoryAddress() {
            return address;
        }

        @Override
        protected void release0() {
            // The region is given back as a whole.
        }

        @Override
        public long getSize() {
            return size;
        }
    }
}
