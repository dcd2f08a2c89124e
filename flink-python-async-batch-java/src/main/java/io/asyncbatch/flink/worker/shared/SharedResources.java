package io.asyncbatch.flink.worker.shared;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.util.ExceptionUtils;

/**
 * Resources by key, of which there is never more than one that is of use. Thread-safe.
 *
 * <p>Nobody who waits for a resource starts it: it is started by a thread of its own, so who began
 * to wait first may be interrupted and leave, and the others find it started all the same. Only
 * when nobody is left is the start interrupted.
 *
 * @param <K> tells resources apart by equality
 * @param <R> the resources
 */
@Internal
public final class SharedResources<K, R extends AutoCloseable> {

    /** Makes a resource. Runs on a thread of its own. */
    @FunctionalInterface
    public interface Starter<R> {

        /**
         * @param retire to be called, by any thread, when the resource has become useless: who
         *     comes later gets another one
         * @throws Exception if it cannot be started; nothing must be left of it then
         */
        R start(Runnable retire) throws Exception;
    }

    private final Map<K, Entry> current = new HashMap<>();

    /**
     * Lends the resource of this key, which is started if there is none. While one is being closed
     * whose last user has left, this waits.
     *
     * @param name of the thread that starts it
     * @return to be closed in any case
     */
    public Lease acquire(K key, String name, Starter<R> starter) throws InterruptedException {
        while (true) {
            CompletableFuture<Void> closed;
            synchronized (current) {
                Entry entry = current.get(key);
                if (entry == null) {
                    entry = new Entry(key);
                    entry.start(name, starter);
                    current.put(key, entry);
                }
                if (!entry.closing) {
                    entry.users++;
                    return new Lease(entry);
                }
                closed = entry.closed;
            }
            awaitClosed(closed);
        }
    }

    private static void awaitClosed(CompletableFuture<Void> closed) throws InterruptedException {
        try {
            closed.get();
        } catch (ExecutionException e) {
            throw new IllegalStateException("is never completed exceptionally", e);
        }
    }

    /** Resources that are not retired, among them those being started and closed. */
    public int size() {
        synchronized (current) {
            return current.size();
        }
    }

    /** One user's share of a resource. Used by one thread. */
    public final class Lease implements AutoCloseable {

        private final Entry entry;
        private boolean closed;

        private Lease(Entry entry) {
            this.entry = entry;
        }

        /**
         * Waits until the resource is started.
         *
         * @throws Exception why it could not be started, to everyone who waits
         */
        public R get() throws Exception {
            try {
                return entry.started.get();
            } catch (ExecutionException e) {
                ExceptionUtils.rethrowException(e.getCause());
                throw e;
            }
        }

        /**
         * Gives the share back. The last to do so closes the resource, and waits for that. An
         * interrupt does not end the wait early. Idempotent.
         */
        @Override
        public void close() throws Exception {
            if (!closed) {
                closed = true;
                entry.leave();
            }
        }
    }

    private final class Entry {

        private final K key;
        private final CompletableFuture<R> started = new CompletableFuture<>();
        private final CompletableFuture<Void> closed = new CompletableFuture<>();
        private Thread starting;

        // Guarded by the map.
        private int users;
        private boolean closing;

        private Entry(K key) {
            this.key = key;
        }

        private void start(String name, Starter<R> starter) {
            starting = new Thread(() -> run(starter), name);
            starting.setDaemon(true);
            starting.start();
        }

        private void run(Starter<R> starter) {
            try {
                started.complete(starter.start(this::retire));
            } catch (Throwable t) {
                // First: who learns of this may want to try again at once.
                retire();
                started.completeExceptionally(t);
            }
        }

        private void retire() {
            synchronized (current) {
                current.remove(key, this);
            }
        }

        private void leave() throws Exception {
            synchronized (current) {
                users--;
                if (users > 0) {
                    return;
                }
                closing = true;
            }
            starting.interrupt();
            try {
                closeStarted();
            } finally {
                retire();
                closed.complete(null);
            }
        }

        private void closeStarted() throws Exception {
            R resource;
            try {
                // Not get(): this must not be left half done.
                resource = started.join();
            } catch (CompletionException e) {
                // Everyone who waited for it was told.
                return;
            }
            resource.close();
        }
    }
}
