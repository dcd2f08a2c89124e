package io.asyncbatch.flink.batchapi.files;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.Set;
import org.apache.flink.annotation.Internal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One subtask's private directory: mode 0700, under a name that nobody can guess, gone when it is
 * closed. Thread-safe.
 *
 * <p>Who dies cannot close it. A lock on a file within, which the system lets go of with its
 * process, tells the next subtask that opens a directory beside it that nobody lives there.
 */
@Internal
public final class BatchDirectory implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(BatchDirectory.class);

    private static final String PREFIX = "async-batch-";

    /** Of directories that are not locked yet. They hold nothing but an empty file. */
    private static final String NEW_PREFIX = "new-async-batch-";

    private static final Duration NEW_FOR_AT_MOST = Duration.ofHours(1);
    private static final String LOCK_FILE = "lock";
    private static final int RANDOM_BYTES = 16;
    private static final int OTHERS_WRITE = 0002;
    private static final int STICKY = 01000;

    private static final FileAttribute<Set<PosixFilePermission>> PRIVATE_DIRECTORY =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
    private static final FileAttribute<Set<PosixFilePermission>> PRIVATE_FILE =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

    private static final SecureRandom RANDOM = new SecureRandom();

    private final Path directory;
    private final FileChannel lockChannel;

    /** Guarded by this. A file that appears while the directory is removed would keep it. */
    private boolean closed;

    private BatchDirectory(Path directory, FileChannel lockChannel) {
        this.directory = directory;
        this.lockChannel = lockChannel;
    }

    /**
     * Makes a directory, and removes those of the dead beside it.
     *
     * @param base made if it is not there; must be this user's own
     * @throws IOException if the base is not what it should be
     */
    public static BatchDirectory open(Path base) throws IOException {
        requireSafeBase(base);
        removeLeftovers(base);
        String name = processName() + "-" + randomName();
        Path unlocked = Files.createDirectory(base.resolve(NEW_PREFIX + name), PRIVATE_DIRECTORY);
        FileChannel channel =
                FileChannel.open(
                        unlocked.resolve(LOCK_FILE),
                        Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                        PRIVATE_FILE);
        try {
            channel.lock();
            // Under its name only from now on, when nobody takes it for that of a dead process.
            Path directory = base.resolve(PREFIX + name);
            Files.move(unlocked, directory, StandardCopyOption.ATOMIC_MOVE);
            return new BatchDirectory(directory, channel);
        } catch (IOException e) {
            channel.close();
            removeTree(unlocked);
            throw e;
        }
    }

    /**
     * A new empty file of mode 0600. To be opened as one that exists, so that nobody makes it anew
     * once the directory was closed.
     */
    public synchronized Path newFile() throws IOException {
        if (closed) {
            throw new IOException("the directory of batches is closed");
        }
        return Files.createFile(directory.resolve(randomName()), PRIVATE_FILE);
    }

    /** Removes a file, if it is there. What cannot be removed goes with the directory. */
    public void remove(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            LOG.warn("Could not remove a file of a batch: {}", e.toString());
        }
    }

    /** Removes the directory with all that is in it. */
    @Override
    public synchronized void close() throws IOException {
        closed = true;
        try {
            removeTree(directory);
        } finally {
            lockChannel.close();
        }
    }

    // ------------------------------------------------------------------ base

    private static void requireSafeBase(Path base) throws IOException {
        if (!Files.exists(base, LinkOption.NOFOLLOW_LINKS)) {
            Path parent = base.toAbsolutePath().getParent();
            if (parent != null) {
                Files.createDirectories(parent);
            }
            try {
                Files.createDirectory(base, PRIVATE_DIRECTORY);
            } catch (FileAlreadyExistsException another) {
                LOG.debug("Another subtask made the base directory");
            }
        }
        if (Files.isSymbolicLink(base)) {
            throw refused(base, "it is a symbolic link");
        }
        if (!Files.isDirectory(base, LinkOption.NOFOLLOW_LINKS)) {
            throw refused(base, "it is not a directory");
        }
        if (userOf(base) != userOf(ownProcess(base))) {
            throw refused(base, "it belongs to another user");
        }
        int mode = (int) Files.getAttribute(base, "unix:mode", LinkOption.NOFOLLOW_LINKS);
        if ((mode & OTHERS_WRITE) != 0 && (mode & STICKY) == 0) {
            throw refused(base, "every user may remove files in it");
        }
    }

    private static Path ownProcess(Path base) throws IOException {
        Path self = Path.of("/proc/self");
        if (!Files.exists(self)) {
            throw refused(base, "this system has no /proc to tell whose it is");
        }
        return self.toRealPath();
    }

    private static int userOf(Path path) throws IOException {
        return (int) Files.getAttribute(path, "unix:uid", LinkOption.NOFOLLOW_LINKS);
    }

    private static IOException refused(Path base, String reason) {
        return new IOException(
                "ml.batch.local.dir: '"
                        + base
                        + "' cannot be used, as "
                        + reason
                        + "; give a directory of the TaskManager's own user, or one that is not"
                        + " there yet");
    }

    // ------------------------------------------------------------- leftovers

    private static void removeLeftovers(Path base) throws IOException {
        try (DirectoryStream<Path> children = Files.newDirectoryStream(base, "*" + PREFIX + "*")) {
            for (Path child : children) {
                try {
                    removeIfLeftOver(child);
                } catch (NoSuchFileException | NotDirectoryException goneMeanwhile) {
                    LOG.debug("Another subtask removed what was left behind");
                } catch (IOException e) {
                    LOG.warn("Could not remove what a dead job left behind: {}", e.toString());
                }
            }
        }
    }

    private static void removeIfLeftOver(Path child) throws IOException {
        String name = child.getFileName().toString();
        if (!Files.isDirectory(child, LinkOption.NOFOLLOW_LINKS)
                || userOf(child) != userOf(child.toAbsolutePath().getParent())) {
            return;
        }
        if (name.startsWith(NEW_PREFIX)) {
            Instant made = Files.getLastModifiedTime(child, LinkOption.NOFOLLOW_LINKS).toInstant();
            if (made.plus(NEW_FOR_AT_MOST).isBefore(Instant.now())) {
                removeTree(child);
            }
            return;
        }
        // Never open a lock of this process's own: closing it again would give the lock away.
        if (!name.startsWith(PREFIX) || name.startsWith(PREFIX + processName() + "-")) {
            return;
        }
        try (FileChannel channel =
                FileChannel.open(
                        child.resolve(LOCK_FILE),
                        StandardOpenOption.WRITE,
                        LinkOption.NOFOLLOW_LINKS)) {
            FileLock lock = channel.tryLock();
            if (lock != null) {
                removeTree(child);
            }
        } catch (NoSuchFileException halfRemoved) {
            removeTree(child);
        }
    }

    private static void removeTree(Path root) throws IOException {
        Files.walkFileTree(
                root,
                new SimpleFileVisitor<>() {
                    @Override
                    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
                            throws IOException {
                        Files.deleteIfExists(file);
                        return FileVisitResult.CONTINUE;
                    }

                    @Override
                    public FileVisitResult visitFileFailed(Path file, IOException failure)
                            throws IOException {
                        if (failure instanceof NoSuchFileException) {
                            return FileVisitResult.CONTINUE;
                        }
                        throw failure;
                    }

                    @Override
                    public FileVisitResult postVisitDirectory(Path directory, IOException failure)
                            throws IOException {
                        Files.deleteIfExists(directory);
                        return FileVisitResult.CONTINUE;
                    }
                });
    }

    /** Tells this process from all others, also from one that has its number later. */
    private static String processName() {
        return ProcessHandle.current().pid()
                + "-"
                + ManagementFactory.getRuntimeMXBean().getStartTime();
    }

    private static String randomName() {
        byte[] bytes = new byte[RANDOM_BYTES];
        RANDOM.nextBytes(bytes);
        return HexFormat.of().formatHex(bytes);
    }
}
