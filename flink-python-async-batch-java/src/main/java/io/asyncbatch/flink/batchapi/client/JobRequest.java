package io.asyncbatch.flink.batchapi.client;

import java.nio.file.Path;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * What a job is made of. Immutable.
 *
 * @param key by which the job is found again, and its idempotency key; the same for every attempt
 * @param batchNumber what people know the batch by
 * @param fileId of the uploaded file, where files are uploaded first
 * @param file the file itself, elsewhere
 */
@Internal
public record JobRequest(
        String key, String batchNumber, @Nullable String fileId, @Nullable Path file) {}
