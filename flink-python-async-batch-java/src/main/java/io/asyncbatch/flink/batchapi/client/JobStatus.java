package io.asyncbatch.flink.batchapi.client;

import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * What the provider says about a job. Immutable.
 *
 * @param jobId by which to ask again
 * @param state what the provider's word means
 * @param word the provider's word, shortened to what may be logged
 * @param errorCode why the job failed, or empty
 * @param resultFiles what to fetch: results and errors, as far as there are any
 * @param retryAfterMillis how long the provider wants to be left alone; 0 if it does not say
 */
@Internal
public record JobStatus(
        String jobId,
        JobState state,
        String word,
        String errorCode,
        List<String> resultFiles,
        long retryAfterMillis) {}
