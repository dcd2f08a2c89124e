package io.asyncbatch.flink.sidecar.memory;

import io.asyncbatch.flink.sidecar.memory.SharedArea.Lease;
import io.asyncbatch.flink.worker.memory.RegionTable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The shared memory of one client: an area that the server has registered, and a new one when it
 * has forgotten it. While there is none, nothing is given out, and tensors travel inline.
 * Thread-safe.
 *
 * <p>An object has a name only until the server's answer to its registration, so that a process
 * that is killed later leaves nothing behind.
 */
@Internal
public final class SharedMemoryPool {

    /** The server's side of a registration. */
    public interface Registrar {

        /** Completes exceptionally if the server does not register memory. */
        CompletionStage<Void> register(String name, String key, long bytes);

        /** Whether it succeeds does not matter: the server frees what has no owner. */
        void unregister(String name);
    }

    private static final Logger LOG = LoggerFactory.getLogger(SharedMemoryPool.class);

    private final Path directory;
    private final long bytes;
    private final Registrar registrar;
    private final Set<SharedArea> areas = new HashSet<>();
    @Nullable private SharedArea current;
    private boolean registering;
    private boolean off;

    /**
     * @param directory where the system keeps POSIX shared memory: {@code /dev/shm}
     * @param bytes most that is shared at a time, beside what a server that was restarted still
     *     holds
     */
    public SharedMemoryPool(Path directory, long bytes, Registrar registrar) {
        this.directory = directory;
        this.bytes = Math.max(1, bytes / RegionTable.PAGE_BYTES) * RegionTable.PAGE_BYTES;
        this.registrar = registrar;
    }

    /**
     * Makes and registers the first area.
     *
     * @return completes, never exceptionally, when it is known whether there is one
     */
    public CompletableFuture<Void> start() {
        StaleObjects.remove(directory);
        return renew();
    }

    /** Null where the memory is not shared or has no room. */
    @Nullable
    public Lease take(long size) {
        SharedArea area;
        synchronized (this) {
            area = current;
        }
        return area == null ? null : area.take(size);
    }

    public synchronized long takenBytes() {
        return areas.stream().mapToLong(SharedArea::takenBytes).sum();
    }

    /** The server does not know the area, since it was restarted. Registers a new one. */
    public void forgotten(SharedArea area) {
        synchronized (this) {
            if (area != current) {
                return;
            }
            retireCurrent();
        }
        renew();
    }

    /** A request ended whose leases were lost. */
    public void replaceIfWorn() {
        String worn;
        synchronized (this) {
            if (current == null || !current.isWorn()) {
                return;
            }
            worn = current.name();
            retireCurrent();
        }
        registrar.unregister(worn);
        renew();
    }

    private void retireCurrent() {
        SharedArea area = current;
        current = null;
        area.retire();
        areas.removeIf(SharedArea::isClosed);
    }

    /**
     * @param untouched whether nobody in this process can touch the memory any more; if somebody
     *     may, it stays until the process ends
     */
    public synchronized void close(boolean untouched) {
        off = true;
        current = null;
        areas.forEach(area -> area.close(untouched));
        areas.clear();
    }

    /** The name of the area that the server has registered, if any. */
    @Nullable
    public synchronized String registered() {
        return current == null ? null : current.name();
    }

    private CompletableFuture<Void> renew() {
        SharedArea area;
        synchronized (this) {
            if (off || registering) {
                return CompletableFuture.completedFuture(null);
            }
            try {
                area = new SharedArea(SharedObject.create(directory, bytes), bytes);
            } catch (IOException | UnsupportedOperationException e) {
                off = true;
                LOG.warn("Shares no memory with the model server", e);
                return CompletableFuture.completedFuture(null);
            }
            registering = true;
            areas.removeIf(SharedArea::isClosed);
            areas.add(area);
        }
        return registrar
                .register(area.name(), "/" + area.name(), bytes)
                .handle(
                        (registered, refusal) -> {
                            onAnswer(area, refusal);
                            return (Void) null;
                        })
                .toCompletableFuture();
    }

    private synchronized void onAnswer(SharedArea area, @Nullable Throwable refusal) {
        registering = false;
        if (off) {
            return;
        }
        Throwable failure = refusal;
        if (failure == null) {
            try {
                area.unlink();
                current = area;
                return;
            } catch (IOException e) {
                failure = e;
            }
        }
        LOG.info("Shares no memory with the model server: {}", failure.toString());
        off = true;
        area.retire();
        areas.remove(area);
    }
}
