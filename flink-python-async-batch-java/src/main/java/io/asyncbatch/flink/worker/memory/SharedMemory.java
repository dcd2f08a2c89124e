package io.asyncbatch.flink.worker.memory;

import io.asyncbatch.flink.arrow.SharedRegions;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.core.memory.MemoryUtils;

/**
 * Two pieces of memory that a worker made and both processes map: inputs, which this process writes
 * and the worker reads, and results, the other way round. They have no name in any file system, so
 * nothing is left of them when both processes are gone, however they went.
 *
 * <p>Thread-safe, but for {@link #close}: nothing may touch the memory then or later.
 */
@Internal
public final class SharedMemory implements SharedRegions, AutoCloseable {

    /** Both pieces are whole pages. */
    public static final long PAGE_BYTES = RegionTable.PAGE_BYTES;

    /** What one mapping of Java's can hold. */
    public static final long LARGEST_BYTES = Integer.MAX_VALUE / PAGE_BYTES * PAGE_BYTES;

    private final long thresholdBytes;
    private final MappedByteBuffer inputs;
    private final MappedByteBuffer results;
    private final RegionTable regions;
    private long sharedBatches;
    private boolean closed;

    private SharedMemory(MappedByteBuffer inputs, MappedByteBuffer results, long thresholdBytes) {
        this.inputs = inputs;
        this.results = results;
        this.thresholdBytes = thresholdBytes;
        this.regions = new RegionTable(inputs.capacity());
    }

    /**
     * Maps the memory of a worker on this machine.
     *
     * @param pid the worker's process
     * @param inputsFd its descriptor of the memory for inputs
     * @param resultsFd its descriptor of the memory for results
     * @param bytes size of each, at most {@link #LARGEST_BYTES}
     * @param thresholdBytes what is smaller is not worth sharing
     * @throws IOException if this process may not open them, or they are not what was asked for
     */
    public static SharedMemory map(
            long pid, int inputsFd, int resultsFd, long bytes, long thresholdBytes)
            throws IOException {
        Path descriptors = Path.of("/proc/" + pid + "/fd");
        return map(
                descriptors.resolve(Integer.toString(inputsFd)),
                descriptors.resolve(Integer.toString(resultsFd)),
                bytes,
                thresholdBytes);
    }

    /** Maps two files of that size. */
    static SharedMemory map(Path inputs, Path results, long bytes, long thresholdBytes)
            throws IOException {
        MappedByteBuffer mappedInputs =
                map(
                        inputs,
                        bytes,
                        MapMode.READ_WRITE,
                        StandardOpenOption.READ,
                        StandardOpenOption.WRITE);
        try {
            return new SharedMemory(
                    mappedInputs,
                    map(results, bytes, MapMode.READ_ONLY, StandardOpenOption.READ),
                    thresholdBytes);
        } catch (IOException e) {
            unmap(mappedInputs);
            throw e;
        }
    }

    private static MappedByteBuffer map(Path path, long bytes, MapMode mode, OpenOption... options)
            throws IOException {
        try (FileChannel file = FileChannel.open(path, options)) {
            if (file.size() != bytes) {
                // Reading past the end of a mapped file would end this process.
                throw new IOException(
                        path + " should have " + bytes + " bytes, and has " + file.size());
            }
            return file.map(mode, 0, bytes);
        }
    }

    @Override
    @Nullable
    public Region take(long bytes) {
        if (bytes < thresholdBytes) {
            return null;
        }
        synchronized (this) {
            long offset = closed ? -1 : regions.take(bytes);
            if (offset < 0) {
                return null;
            }
            sharedBatches++;
            return new InputRegion(offset, (int) bytes);
        }
    }

    /**
     * A view of what the worker has placed among the results, for reading only.
     *
     * @throws IOException if that is not within the memory, or the memory is closed
     */
    public synchronized ByteBuffer result(long offset, long length) throws IOException {
        if (closed) {
            throw new IOException("the shared memory is closed");
        }
        if (offset < 0 || length < 0 || length > results.capacity() - offset) {
            throw new IOException(
                    "a body at offset "
                            + offset
                            + " of length "
                            + length
                            + " is not within shared memory of "
                            + results.capacity()
                            + " bytes");
        }
        return results.slice((int) offset, (int) length);
    }

    /** Bytes of the inputs' memory that hold batches the worker may read. */
    public synchronized long takenBytes() {
        return regions.takenBytes();
    }

    /** Bytes of the inputs' memory. */
    public long capacityBytes() {
        return inputs.capacity();
    }

    /** Batches that were placed here. */
    public synchronized long sharedBatches() {
        return sharedBatches;
    }

    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        unmap(inputs);
        unmap(results);
    }

    /** At once: a mapping that waits for garbage collection holds memory long after the job. */
    private static void unmap(MappedByteBuffer memory) {
        MemoryUtils.UNSAFE.invokeCleaner(memory);
    }

    private final class InputRegion implements Region {

        private final long offset;
        private final int size;

        private InputRegion(long offset, int size) {
            this.offset = offset;
            this.size = size;
        }

        @Override
        public long offset() {
            return offset;
        }

        @Override
        public ByteBuffer bytes() {
            return inputs.slice((int) offset, size);
        }

        @Override
        public void giveBack() {
            synchronized (SharedMemory.this) {
                regions.giveBack(offset);
            }
        }
    }
}
