package io.asyncbatch.flink.sidecar.memory;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What clients left behind that were killed in the moment between making an object and taking its
 * name away. Stateless.
 */
final class StaleObjects {

    private static final Logger LOG = LoggerFactory.getLogger(StaleObjects.class);

    private StaleObjects() {}

    /** Removes this user's objects whose owner is gone. What fails is tried by the next client. */
    static void remove(Path directory) {
        try (DirectoryStream<Path> objects =
                Files.newDirectoryStream(directory, ObjectNames.PREFIX + "*")) {
            Object user = Files.getAttribute(Path.of("/proc/self"), "unix:uid");
            for (Path object : objects) {
                // Opening and closing one of this process's own would take its lock away.
                if (!object.getFileName().toString().startsWith(ObjectNames.OWN)) {
                    removeIfStale(object, user);
                }
            }
        } catch (IOException e) {
            LOG.debug("Did not look for shared memory of dead clients", e);
        }
    }

    private static void removeIfStale(Path object, Object user) {
        try {
            if (!user.equals(Files.getAttribute(object, "unix:uid", LinkOption.NOFOLLOW_LINKS))
                    || !Files.isRegularFile(object, LinkOption.NOFOLLOW_LINKS)) {
                return;
            }
            try (FileChannel file =
                    FileChannel.open(object, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS)) {
                if (file.tryLock() != null) {
                    // While the lock is held, so that an owner that is just being born notices.
                    Files.deleteIfExists(object);
                    LOG.info("Removed shared memory of a client that is gone: {}", object);
                }
            }
        } catch (IOException e) {
            LOG.debug("Did not remove {}", object, e);
        }
    }
}
