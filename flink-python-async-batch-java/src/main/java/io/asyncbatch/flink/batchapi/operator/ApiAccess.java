package io.asyncbatch.flink.batchapi.operator;

import io.asyncbatch.flink.batchapi.BatchCodec;
import io.asyncbatch.flink.batchapi.client.BatchApi;
import io.asyncbatch.flink.batchapi.files.BatchDirectory;
import io.asyncbatch.flink.batchapi.job.JobFiles;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.ExecutorService;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a subtask holds to reach the API: a client, a directory for files and a thread for them.
 * Opened and closed by the task's thread.
 */
final class ApiAccess implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(ApiAccess.class);

    private final BatchApi api;
    private final BatchDirectory directory;
    private final ExecutorService ioThread;

    private ApiAccess(BatchApi api, BatchDirectory directory, ExecutorService ioThread) {
        this.api = api;
        this.directory = directory;
        this.ioThread = ioThread;
    }

    /**
     * @param api closed with this, also if it cannot be opened
     * @param base directory in which to make one
     */
    static ApiAccess open(
            BatchApi api,
            Path base,
            BatchInferenceOperatorFactory.IoThreadFactory ioThreads,
            String task)
            throws IOException {
        try {
            return new ApiAccess(
                    api, BatchDirectory.open(base), ioThreads.create("batch-api-files-" + task));
        } catch (IOException | RuntimeException e) {
            api.close();
            throw e;
        }
    }

    BatchApi api() {
        return api;
    }

    /**
     * @param codec of the files' thread alone
     */
    <IN, OUT> JobFiles<IN, OUT> files(BatchCodec<IN, OUT> codec) {
        return new JobFiles<>(directory, api, codec, ioThread);
    }

    @Override
    public void close() {
        api.close();
        ioThread.shutdownNow();
        try {
            directory.close();
        } catch (IOException e) {
            // A task that failed and throws once more ends its TaskManager.
            LOG.warn("Could not remove the files of batches: {}", e.toString());
        }
    }
}
