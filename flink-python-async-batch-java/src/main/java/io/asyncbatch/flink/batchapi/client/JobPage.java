package io.asyncbatch.flink.batchapi.client;

import java.util.List;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * Some of the provider's jobs, the newest first. Immutable.
 *
 * @param next where the page after this one begins; null if there is none
 */
@Internal
public record JobPage(List<Listed> jobs, @Nullable String next) {

    /**
     * A job in a list.
     *
     * @param key that it was created with; empty for a stranger's
     * @param createdAtMillis by the provider's clock
     */
    public record Listed(String key, long createdAtMillis, JobStatus status) {}
}
