package io.asyncbatch.flink.worker.process;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import org.apache.flink.annotation.Internal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads what a worker process prints, on a thread of its own, and keeps the last lines for the
 * error that its death raises. {@link #tail()} may be called by any thread.
 *
 * <p>The worker's log records arrive twice: through Beam's logging service, which puts them into
 * the TaskManager log with their level, and here behind {@link #LOG_RECORD_MARK}, because a process
 * that is killed takes the records that its logging client still buffered with it. Marked lines go
 * to the tail only.
 */
@Internal
public final class WorkerOutput {

    private static final Logger LOG = LoggerFactory.getLogger(WorkerOutput.class);

    /** First character of a line that repeats a log record. */
    static final char LOG_RECORD_MARK = '\u001e';

    private static final int TAIL_CHARS = 8 * 1024;
    private static final int MAX_LINE_CHARS = 2 * 1024;

    private final Deque<String> tail = new ArrayDeque<>();
    private int tailChars;
    private final Thread thread;

    private WorkerOutput(InputStream output, String workerName) {
        this.thread = new Thread(() -> readAll(output, workerName), workerName + "-output");
        this.thread.setDaemon(true);
    }

    static WorkerOutput read(InputStream output, String workerName) {
        WorkerOutput workerOutput = new WorkerOutput(output, workerName);
        workerOutput.thread.start();
        return workerOutput;
    }

    /**
     * The last lines that the process printed or logged, oldest first; empty if there were none.
     */
    public String tail() {
        synchronized (tail) {
            return String.join("\n", tail);
        }
    }

    /** Waits until everything that the ended process printed has been read. */
    void awaitEnd(long timeoutMillis) throws InterruptedException {
        thread.join(timeoutMillis);
    }

    private void readAll(InputStream output, String workerName) {
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(output, StandardCharsets.UTF_8))) {
            for (String line = readLine(lines); line != null; line = readLine(lines)) {
                boolean logRecord = !line.isEmpty() && line.charAt(0) == LOG_RECORD_MARK;
                if (logRecord) {
                    line = line.substring(1);
                } else {
                    LOG.info("[{}] {}", workerName, line);
                }
                keep(line);
            }
        } catch (IOException e) {
            LOG.debug("The output of {} ended", workerName, e);
        }
    }

    /** Like {@code BufferedReader.readLine}, but a line without end cannot fill the heap. */
    private static String readLine(BufferedReader reader) throws IOException {
        int c = reader.read();
        if (c < 0) {
            return null;
        }
        StringBuilder line = new StringBuilder();
        for (; c >= 0 && c != '\n'; c = reader.read()) {
            if (line.length() < MAX_LINE_CHARS) {
                line.append((char) c);
            }
        }
        return line.toString();
    }

    private void keep(String line) {
        synchronized (tail) {
            tail.addLast(line);
            tailChars += line.length() + 1;
            while (tailChars > TAIL_CHARS) {
                tailChars -= tail.removeFirst().length() + 1;
            }
        }
    }
}
