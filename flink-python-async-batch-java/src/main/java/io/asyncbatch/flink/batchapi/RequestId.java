package io.asyncbatch.flink.batchapi;

import org.apache.flink.annotation.PublicEvolving;

/** Which request of which batch. A POJO for Flink's serializers. */
@PublicEvolving
public final class RequestId {

    /** As in {@link SubmittedBatch#batchId}. */
    public String batchId;

    /** As in {@link SubmittedRow#customId}. */
    public String customId;

    /** As in {@link SubmittedBatch#resultsTopic}. */
    public String resultsTopic;

    /** For Flink's serializers. */
    public RequestId() {}

    public RequestId(String batchId, String customId, String resultsTopic) {
        this.batchId = batchId;
        this.customId = customId;
        this.resultsTopic = resultsTopic;
    }

    @Override
    public String toString() {
        return customId;
    }
}
