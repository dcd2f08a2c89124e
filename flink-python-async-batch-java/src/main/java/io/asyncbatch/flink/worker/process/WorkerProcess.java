package io.asyncbatch.flink.worker.process;

import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.util.ShutdownHookUtil;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One Python worker process. Any thread may ask about it; the thread that started it closes it.
 *
 * <p>The process holds the read end of a pipe whose write end only this JVM has. When the JVM dies
 * in whatever way, the kernel closes that end, and the worker leaves. A JVM that is told to stop
 * kills the worker in a shutdown hook, so a frozen worker does not outlive it either.
 */
@Internal
public final class WorkerProcess implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(WorkerProcess.class);

    private static final long TERMINATE_MILLIS = 1_000;
    private static final long KILL_MILLIS = 5_000;
    private static final long OUTPUT_END_MILLIS = 1_000;
    private static final int SIGNAL_BASE = 128;

    private final String name;
    private final Process process;
    private final WorkerOutput output;
    private final Thread shutdownHook;

    private WorkerProcess(String name, Process process) {
        this.name = name;
        this.process = process;
        this.output = WorkerOutput.read(process.getInputStream(), name);
        this.shutdownHook = ShutdownHookUtil.addShutdownHook(this::killTree, name, LOG);
    }

    /**
     * Starts a process.
     *
     * @param name names the worker in logs and threads
     * @param command interpreter and arguments
     * @param environment all of the process's environment variables; none is inherited
     * @param workingDirectory where it starts, or null for the JVM's working directory
     * @throws IOException if the interpreter cannot be run
     */
    public static WorkerProcess start(
            String name,
            List<String> command,
            Map<String, String> environment,
            @Nullable Path workingDirectory)
            throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().clear();
        builder.environment().putAll(environment);
        if (workingDirectory != null) {
            builder.directory(workingDirectory.toFile());
        }
        try {
            return new WorkerProcess(name, builder.start());
        } catch (IOException e) {
            throw new IOException(
                    "Could not start the Python worker: the interpreter '"
                            + command.get(0)
                            + "' cannot be run"
                            + (command.get(0).contains(File.separator) ? "" : " from the PATH")
                            + ". Set 'python.executable' to a Python interpreter that has"
                            + " apache-flink and pyflink-async-batch installed.",
                    e);
        }
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    public long pid() {
        return process.pid();
    }

    /** Completes when the process has ended, however it did. */
    public CompletableFuture<Void> ended() {
        return process.onExit().thenApply(ended -> null);
    }

    /** Waits until the process has ended; returns whether it has. */
    public boolean awaitEnd(long timeoutMillis) throws InterruptedException {
        return process.waitFor(timeoutMillis, TimeUnit.MILLISECONDS);
    }

    /** What became of the process, in words: its exit status or the signal that ended it. */
    public String describeState() {
        if (process.isAlive()) {
            return "still running as process " + process.pid();
        }
        int status = process.exitValue();
        return status > SIGNAL_BASE
                ? "exit status " + status + " (killed by signal " + (status - SIGNAL_BASE) + ")"
                : "exit status " + status;
    }

    /**
     * The last lines that the process printed or logged, after a short wait for the rest of them,
     * as a paragraph of an error message. Empty if there are none.
     */
    public String describeOutput() {
        if (!process.isAlive()) {
            try {
                output.awaitEnd(OUTPUT_END_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        String tail = output.tail();
        return tail.isEmpty() ? "" : "\nThe end of its output:\n" + tail;
    }

    /**
     * Kills the process and what it started, at once: also one that is stopped. Any thread may
     * call; {@link #close} is still needed.
     */
    public void kill() {
        killTree();
    }

    /**
     * Ends the process and everything that it started, by force if need be. Idempotent, and of use
     * after the process died by itself: what it had started may have outlived it.
     */
    @Override
    public void close() throws IOException {
        ShutdownHookUtil.removeShutdownHook(shutdownHook, name, LOG);
        boolean interrupted = Thread.interrupted();
        try {
            List<ProcessHandle> started = descendants();
            if (process.isAlive()) {
                // Not Process.destroy(): that also closes the pipes, which tells the worker that
                // this
                // JVM is dead.
                process.toHandle().destroy();
                interrupted |= !waitUninterrupted(TERMINATE_MILLIS);
            }
            started.forEach(ProcessHandle::destroyForcibly);
            killTree();
            interrupted |= !waitUninterrupted(KILL_MILLIS);
            if (process.isAlive()) {
                throw new IOException(
                        "The Python worker " + name + " survived SIGKILL: pid=" + process.pid());
            }
            process.getOutputStream().close();
            output.awaitEnd(OUTPUT_END_MILLIS);
        } catch (InterruptedException e) {
            interrupted = true;
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Kills with SIGKILL, which a frozen process cannot ignore, and first what it started. */
    private void killTree() {
        descendants().forEach(ProcessHandle::destroyForcibly);
        ProcessGroup.members(process.pid()).forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
    }

    /** Empty once the process is dead: its children then belong to another one. */
    private List<ProcessHandle> descendants() {
        try (Stream<ProcessHandle> descendants = process.descendants()) {
            return descendants.toList();
        }
    }

    /** Returns false if the wait was interrupted; it is then cut short and killing goes on. */
    private boolean waitUninterrupted(long timeoutMillis) {
        try {
            process.waitFor(timeoutMillis, TimeUnit.MILLISECONDS);
            return true;
        } catch (InterruptedException e) {
            return false;
        }
    }
}
