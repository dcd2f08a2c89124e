package io.asyncbatch.flink.worker.thread;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.apache.flink.annotation.Internal;
import pemja.core.PythonInterpreter;
import pemja.core.PythonInterpreterConfig;

/**
 * The thread that enters the Python interpreter of this JVM and stays in it for as long as its
 * event loop runs. It cannot be ended by force: what user code does not give back is left to it.
 */
@Internal
public final class InterpreterThread {

    private static final String MODULE = "pyflink_async_batch._worker.interpreter_entrypoint";

    /** As much as the main thread of a Python process has; recursion in C needs it. */
    private static final long STACK_BYTES = 8L << 20;

    private final PythonInterpreterConfig config;
    private final LoopPort port;
    private final Consumer<Throwable> whenEnded;
    private final CountDownLatch ended = new CountDownLatch(1);
    private final Thread thread;

    /**
     * @param name of the thread
     * @param config which Python, and where it finds its modules
     * @param whenEnded told by this thread, once, that it has left the interpreter, with the reason
     *     or null
     */
    public InterpreterThread(
            String name,
            PythonInterpreterConfig config,
            LoopPort port,
            Consumer<Throwable> whenEnded) {
        this.config = config;
        this.port = port;
        this.whenEnded = whenEnded;
        this.thread = new Thread(null, this::run, name, STACK_BYTES);
        thread.setDaemon(true);
    }

    public void start() {
        thread.start();
    }

    private void run() {
        Throwable cause = null;
        try (PythonInterpreter interpreter = new PythonInterpreter(config)) {
            interpreter.exec("import " + MODULE + " as entrypoint");
            interpreter.invokeMethod("entrypoint", "run", port.door());
        } catch (Throwable t) {
            cause = t;
        } finally {
            ended.countDown();
            whenEnded.accept(cause);
        }
    }

    /** Whether the thread has left the interpreter, after waiting for it. */
    public boolean awaitEnd(long millis) throws InterruptedException {
        return ended.await(millis, TimeUnit.MILLISECONDS);
    }
}
