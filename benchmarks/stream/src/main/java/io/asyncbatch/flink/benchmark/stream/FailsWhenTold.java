package io.asyncbatch.flink.benchmark.stream;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.api.common.functions.MapFunction;

/**
 * Passes rows on, and fails its task at the first one after a file was made, which it removes: of
 * several subtasks one fails. Owned by the task thread.
 */
public final class FailsWhenTold implements MapFunction<String, String> {

    private static final long serialVersionUID = 1L;
    private static final int ROWS_BETWEEN_LOOKS = 64;

    private final String file;
    private transient int rows;

    /**
     * @param file whose being there tells it to fail
     */
    public FailsWhenTold(String file) {
        this.file = file;
    }

    @Override
    public String map(String row) throws IOException {
        if (rows++ % ROWS_BETWEEN_LOOKS == 0 && Files.deleteIfExists(Path.of(file))) {
            throw new IllegalStateException("told to fail the task");
        }
        return row;
    }
}
