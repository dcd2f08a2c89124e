import java.lang.ref.WeakReference;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import org.slf4j.LoggerFactory;

/** Does with the jar what a TaskManager does with a job's: loads it, runs it, and lets it go. */
public final class LoadAndRelease {

    private static final long PATIENCE_NANOS = 60_000_000_000L;

    /** Arguments: the jar, a directory with the compiled round, a socket. */
    public static void main(String[] arguments) throws Exception {
        // Before the jar does: Log4j's shutdown hook keeps the class loader that had it started.
        LoggerFactory.getLogger(LoadAndRelease.class);
        WeakReference<ClassLoader> loader = run(arguments);
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        while (loader.get() != null && System.nanoTime() < deadline) {
            System.gc();
            Thread.onSpinWait();
        }
        System.out.println(loader.get() == null ? "released" : "still loaded");
    }

    private static WeakReference<ClassLoader> run(String[] arguments) throws Exception {
        try (URLClassLoader loader =
                new URLClassLoader(
                        new URL[] {
                            Path.of(arguments[0]).toUri().toURL(),
                            Path.of(arguments[1]).toUri().toURL()
                        },
                        LoadAndRelease.class.getClassLoader())) {
            Callable<?> round =
                    (Callable<?>)
                            loader.loadClass("SidecarRound")
                                    .getConstructor(Path.class)
                                    .newInstance(Path.of(arguments[2]));
            // As a task, in a thread that ends.
            FutureTask<?> task = new FutureTask<>(round);
            Thread thread = new Thread(task);
            thread.start();
            System.out.println("answer " + task.get());
            thread.join();
            return new WeakReference<>(loader);
        }
    }
}
