package io.asyncbatch.flink.sidecar.memory;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Set;
import org.apache.flink.core.memory.MemoryUtils;

/**
 * A POSIX shared memory object of this process: a file that is made, mapped, and locked for as long
 * as it is mapped, which is how others see that its owner lives. Not thread-safe.
 *
 * <p>No other channel may ever be opened on the file in this process: closing it would take the
 * lock away, as POSIX has it.
 */
final class SharedObject implements AutoCloseable {

    private static final int NAME_BYTES = 16;
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final ByteBuffer ZEROS = ByteBuffer.allocateDirect(64 * 1024);

    private final Path path;
    private final FileChannel file;
    private final MappedByteBuffer memory;
    private long committed;

    private SharedObject(Path path, FileChannel file, MappedByteBuffer memory) {
        this.path = path;
        this.file = file;
        this.memory = memory;
    }

    /**
     * @param directory where the system keeps such objects
     * @param bytes size; memory is taken only when it is {@linkplain #commit committed}
     */
    static SharedObject create(Path directory, long bytes) throws IOException {
        while (true) {
            byte[] random = new byte[NAME_BYTES];
            RANDOM.nextBytes(random);
            Path path = directory.resolve(ObjectNames.OWN + HexFormat.of().formatHex(random));
            FileChannel file =
                    FileChannel.open(
                            path,
                            Set.of(
                                    StandardOpenOption.CREATE_NEW,
                                    StandardOpenOption.READ,
                                    StandardOpenOption.WRITE),
                            PosixFilePermissions.asFileAttribute(
                                    PosixFilePermissions.fromString("rw-------")));
            try {
                file.lock();
                // Until the lock was there, another process may have taken it for a dead one's.
                if (Files.exists(path)) {
                    return new SharedObject(path, file, file.map(MapMode.READ_WRITE, 0, bytes));
                }
            } catch (IOException | RuntimeException | Error e) {
                Files.deleteIfExists(path);
                file.close();
                throw e;
            }
            file.close();
        }
    }

    String name() {
        return path.getFileName().toString();
    }

    /**
     * Has the system provide memory up to an offset. Touching pages that it cannot provide would
     * end this process.
     *
     * @throws IOException if there is not as much
     */
    void commit(long end) throws IOException {
        while (committed < end) {
            ByteBuffer zeros = ZEROS.duplicate();
            zeros.limit((int) Math.min(zeros.limit(), end - committed));
            committed += file.write(zeros, committed);
        }
    }

    /** A view for reading and writing. */
    ByteBuffer slice(long offset, long bytes) {
        return memory.slice((int) offset, (int) bytes);
    }

    /** Takes the name away; who has opened it keeps the memory. */
    void unlink() throws IOException {
        Files.deleteIfExists(path);
    }

    /** Nothing may touch the memory any more. */
    @Override
    public void close() throws IOException {
        MemoryUtils.UNSAFE.invokeCleaner(memory);
        try {
            unlink();
        } finally {
            file.close();
        }
    }

    /** Gives up the name alone, for a case in which somebody may still touch the memory. */
    void abandon() throws IOException {
        unlink();
    }
}
