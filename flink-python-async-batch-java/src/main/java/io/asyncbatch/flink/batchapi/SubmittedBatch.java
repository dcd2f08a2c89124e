package io.asyncbatch.flink.batchapi;

import java.time.Instant;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A batch that a provider has: what a {@link BatchInferenceSubmitter} emits and a {@link
 * BatchInferenceCollector} goes on with. A POJO for Flink's serializers; {@link
 * SubmittedBatchSchema} writes it as JSON.
 */
@PublicEvolving
public final class SubmittedBatch {

    /** What {@link #status} is when the provider has taken a batch. */
    public static final String SUBMITTED = "submitted";

    /** The provider's id of the job. */
    public String batchId;

    /** When the submitter learned that the provider has it, by the TaskManager's clock. */
    public Instant submittedAt;

    /** Number of requests, at least 1. */
    public int recordCount;

    /** The provider's id of the file of requests; empty where files go along with the job. */
    public String inputFile;

    /** Where the results are wanted, or empty; whatever {@code ml.batch.results.topic} was. */
    public String resultsTopic;

    /** The API's address. A collector asks no other than its own. */
    public String apiEndpoint;

    /** {@link #SUBMITTED}. */
    public String status;

    /** What people know the batch by. */
    public String batchNumber;

    /** Request {@code n}, from 0, has the {@code custom_id} {@code <prefix>-<n>}. */
    public String customIdPrefix;

    /** For Flink's serializers. */
    public SubmittedBatch() {}

    /** Never a key or a row: there is none in it. */
    @Override
    public String toString() {
        return "batch " + batchNumber + " (job " + batchId + ", " + recordCount + " requests)";
    }
}
