package io.asyncbatch.flink.batchapi.operator;

import io.asyncbatch.flink.batchapi.BatchCodec;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.batchapi.RequestCodec;
import io.asyncbatch.flink.batchapi.SubmittedBatch;
import io.asyncbatch.flink.batchapi.job.BatchJob;
import io.asyncbatch.flink.batchapi.job.SideOutputs;
import java.time.Instant;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.typeutils.TypeSerializer;

/** The first part of the way: rows come in, what the API has of them leaves. */
record SubmitterRole<IN>(
        RequestCodec<IN> requests,
        SideOutputs<IN> sideOutputs,
        String apiEndpoint,
        String resultsTopic)
        implements Role<IN, IN, SubmittedBatch> {

    static <IN> SubmitterRole<IN> of(
            RequestCodec<IN> codec, SideOutputs<IN> sideOutputs, BatchInferenceOptions options) {
        return new SubmitterRole<>(
                codec,
                sideOutputs,
                options.get(BatchInferenceOptions.ENDPOINT),
                options.get(BatchInferenceOptions.RESULTS_TOPIC));
    }

    @Override
    public BatchCodec<IN, SubmittedBatch> codec() {
        return new RequestsOnly<>(requests);
    }

    @Override
    public Intake<IN, IN, SubmittedBatch> intake(Intake.Parts<IN, SubmittedBatch> parts) {
        return new RowIntake<>(parts);
    }

    @Override
    public TypeSerializer<IN> rowSerializer(
            TypeSerializer<IN> elementSerializer, ExecutionConfig executionConfig) {
        return elementSerializer;
    }

    @Override
    public boolean endsOnCreation() {
        return true;
    }

    @Override
    public SubmittedBatch announcement(BatchJob<IN> job, Instant now) {
        return job.announce(now, apiEndpoint, resultsTopic);
    }

    private record RequestsOnly<IN>(RequestCodec<IN> requests)
            implements BatchCodec<IN, SubmittedBatch> {

        @Override
        public String request(IN row) throws Exception {
            return requests.request(row);
        }

        @Override
        public SubmittedBatch result(IN row, String response) {
            throw new IllegalStateException("a submitter waits for no results");
        }
    }
}
