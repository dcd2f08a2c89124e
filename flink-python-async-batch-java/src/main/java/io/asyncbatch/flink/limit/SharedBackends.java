package io.asyncbatch.flink.limit;

import java.util.HashMap;
import java.util.Map;
import java.util.function.Supplier;
import org.apache.flink.annotation.Internal;

/**
 * The backends that subtasks of this JVM share by name. Thread-safe. A backend is there from its
 * first user to its last, so that nothing refers to a job that ended.
 */
@Internal
public final class SharedBackends {

    /** Those of all jobs whose classes come from the loader that this class came from. */
    public static final SharedBackends OF_THIS_JVM = new SharedBackends();

    private final Map<String, Entry> byName = new HashMap<>();

    private static final class Entry {
        private final Object settings;
        private final Backend backend;
        private int users;

        private Entry(Object settings, Backend backend) {
            this.settings = settings;
            this.backend = backend;
        }
    }

    /**
     * Lends a backend, which is made if there is none.
     *
     * @param settings what it is made from, compared by equality
     * @return to be closed
     * @throws IllegalArgumentException if others use the backend with other settings
     */
    public Lease acquire(String name, Object settings, Supplier<Backend> maker) {
        synchronized (byName) {
            Entry entry = byName.get(name);
            if (entry == null) {
                entry = new Entry(settings, maker.get());
                byName.put(name, entry);
            } else if (!entry.settings.equals(settings)) {
                throw new IllegalArgumentException(
                        "backend '"
                                + name
                                + "' is used with settings that differ: "
                                + entry.settings
                                + " by others, "
                                + settings
                                + " here; give them the same, or another name");
            }
            entry.users++;
            return new Lease(name, entry);
        }
    }

    /** Backends that somebody uses. */
    public int size() {
        synchronized (byName) {
            return byName.size();
        }
    }

    /** One user's share of a backend. Used by one thread. */
    @Internal
    public final class Lease implements AutoCloseable {

        private final String name;
        private final Entry entry;
        private boolean closed;

        private Lease(String name, Entry entry) {
            this.name = name;
            this.entry = entry;
        }

        public Backend backend() {
            return entry.backend;
        }

        /** Gives the share back. Idempotent. */
        @Override
        public void close() {
            synchronized (byName) {
                if (!closed) {
                    closed = true;
                    entry.users--;
                    if (entry.users == 0) {
                        byName.remove(name, entry);
                    }
                }
            }
        }
    }
}
