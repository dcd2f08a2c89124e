package io.asyncbatch.flink.arrow;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.flink.annotation.Internal;

/**
 * Owner of one operator's Arrow memory: a bounded root whose children carry names and bounds of
 * their own. Thread-safe; whoever creates it closes it after all that its children allocated.
 */
@Internal
public final class BridgeAllocator implements AutoCloseable {

    private final String name;
    private final RootAllocator root;
    private final List<BufferAllocator> children = new ArrayList<>();
    private final List<BufferAllocator> regionChildren = new CopyOnWriteArrayList<>();
    private boolean closed;

    /**
     * @param name shows in the errors of this allocator and its children
     * @param limitBytes most that all children together may hold, positive
     */
    public BridgeAllocator(String name, long limitBytes) {
        checkLimit(name, limitBytes);
        this.name = name;
        this.root = new RootAllocator(limitBytes);
    }

    /** A child that this allocator closes; it fails allocations beyond its limit or the root's. */
    public synchronized BufferAllocator child(String purpose, long limitBytes) {
        if (closed) {
            throw new IllegalStateException("Allocator " + name + " is closed.");
        }
        checkLimit(purpose, limitBytes);
        BufferAllocator child = root.newChildAllocator(name + "/" + purpose, 0, limitBytes);
        children.add(child);
        return child;
    }

    /**
     * An allocator for a {@link RecordBatchWriter} that makes batches in shared memory. Closed like
     * a child, but with a bound of its own, since what it holds may be shared memory.
     */
    public synchronized BufferAllocator regionChild(String purpose, long limitBytes) {
        if (closed) {
            throw new IllegalStateException("Allocator " + name + " is closed.");
        }
        checkLimit(purpose, limitBytes);
        BufferAllocator child = RegionAllocator.create(name + "/" + purpose, limitBytes);
        children.add(child);
        regionChildren.add(child);
        return child;
    }

    /** Bytes that all children hold now, in shared memory too. */
    public long allocatedBytes() {
        long bytes = root.getAllocatedMemory();
        for (BufferAllocator child : regionChildren) {
            bytes += child.getAllocatedMemory();
        }
        return bytes;
    }

    /**
     * Closes children and root.
     *
     * @throws IllegalStateException naming each allocator that still holds memory, after all of
     *     them were closed
     */
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        IllegalStateException leak = null;
        for (BufferAllocator child : children) {
            leak = close(child, child.getName(), leak);
        }
        leak = close(root, name, leak);
        if (leak != null) {
            throw leak;
        }
    }

    private static IllegalStateException close(
            BufferAllocator allocator, String name, IllegalStateException previous) {
        long held = allocator.getAllocatedMemory();
        try {
            allocator.close();
            return previous;
        } catch (IllegalStateException e) {
            IllegalStateException leak =
                    previous != null
                            ? previous
                            : new IllegalStateException(
                                    "Allocator "
                                            + name
                                            + " was closed with "
                                            + held
                                            + " bytes held.");
            leak.addSuppressed(e);
            return leak;
        }
    }

    private static void checkLimit(String name, long limitBytes) {
        if (limitBytes <= 0) {
            throw new IllegalArgumentException(
                    "The limit of allocator "
                            + name
                            + " must be positive, limitBytes="
                            + limitBytes);
        }
    }
}
