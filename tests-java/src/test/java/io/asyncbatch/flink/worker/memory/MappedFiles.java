package io.asyncbatch.flink.worker.memory;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A worker's two files, in a directory of the test's. */
public final class MappedFiles {

    private final Path inputs;
    private final Path results;
    private final long bytes;

    public MappedFiles(Path directory, long bytes) throws IOException {
        this.inputs = directory.resolve("inputs");
        this.results = directory.resolve("results");
        this.bytes = bytes;
        resize(inputs, bytes);
        resize(results, bytes);
    }

    /** Maps them as the operator does. */
    public SharedMemory map(long thresholdBytes) throws IOException {
        return SharedMemory.map(inputs, results, bytes, thresholdBytes);
    }

    /** Changes the size of the results' file. */
    void resizeResults(long size) throws IOException {
        resize(results, size);
    }

    private static void resize(Path path, long size) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.setLength(size);
        }
    }

    /** What a worker would read. */
    public byte[] readInput(long offset, long length) throws IOException {
        ByteBuffer bytesRead = ByteBuffer.allocate((int) length);
        try (FileChannel file = FileChannel.open(inputs, StandardOpenOption.READ)) {
            file.read(bytesRead, offset);
        }
        return bytesRead.array();
    }

    /** What a worker would write. */
    public void writeResult(long offset, byte[] body) throws IOException {
        try (FileChannel file = FileChannel.open(results, StandardOpenOption.WRITE)) {
            file.write(ByteBuffer.wrap(body), offset);
        }
    }
}
