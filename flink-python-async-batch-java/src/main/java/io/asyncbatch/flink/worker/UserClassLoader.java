package io.asyncbatch.flink.worker;

import org.apache.flink.streaming.api.utils.ClassLeakCleaner;

/** The class loader that a job's classes come from, and with them ours. Stateless. */
final class UserClassLoader {

    private UserClassLoader() {}

    /**
     * Caches of the JDK keep the job's class loader alive, and with it tens of megabytes of
     * metaspace for every job of a session cluster. PyFlink's operators do the same when they are
     * closed.
     */
    static void release() throws ReflectiveOperationException {
        ClassLeakCleaner.cleanUpLeakingClasses(UserClassLoader.class.getClassLoader());
    }
}
