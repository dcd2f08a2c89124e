package io.asyncbatch.flink.batchapi.client;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * A provider's Batch API. Calls may come from any thread, return at once, make one attempt each and
 * fail with a {@link BatchApiException} that says what to do next; futures complete in any thread.
 */
@Internal
public interface BatchApi extends AutoCloseable {

    /** What one file of requests may hold. */
    ApiLimits limits();

    /**
     * A request as a line of a file, with the line feed.
     *
     * @param customId comes back with the result
     * @param body the request, a JSON value
     */
    byte[] requestLine(String customId, String body);

    /** Whether files are uploaded before a job is made of them, or along with it. */
    boolean uploadsFilesFirst();

    /**
     * Uploads a file of requests.
     *
     * @param name what the provider is told as the file's name
     * @return the file's id
     */
    CompletableFuture<String> upload(Path file, String name);

    /** Creates a job. When this fails the job may exist nevertheless: {@link #list} them. */
    CompletableFuture<JobStatus> create(JobRequest request);

    CompletableFuture<JobStatus> status(String jobId);

    /** Whether {@link #list} can be asked. */
    boolean listsJobs();

    /**
     * A page of the jobs, the newest first.
     *
     * @param cursor {@link JobPage#next} of the page before; null for the first
     */
    CompletableFuture<JobPage> list(@Nullable String cursor);

    /** Asks for a job's end. What it has computed is still to be fetched. */
    CompletableFuture<JobStatus> cancel(String jobId);

    /**
     * Fetches a file of results.
     *
     * @param resultFile one of {@link JobStatus#resultFiles}
     * @param target an empty file
     */
    CompletableFuture<Void> fetch(String resultFile, Path target);

    /** What a line of a file of results says; empty if it is no result at all. */
    Optional<ResultLine> result(JsonNode line);

    @Override
    void close();
}
