package io.asyncbatch.flink.batchapi.operator;

import io.asyncbatch.flink.batchapi.BatchCodec;
import io.asyncbatch.flink.batchapi.CollectedResult;
import io.asyncbatch.flink.batchapi.RequestId;
import io.asyncbatch.flink.batchapi.ResultCodec;
import io.asyncbatch.flink.batchapi.SubmittedBatch;
import io.asyncbatch.flink.batchapi.job.SideOutputs;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.common.typeutils.TypeSerializer;

/** The last part of the way: what the API has comes in, results leave. */
record CollectorRole<OUT>(ResultCodec<OUT> results, SideOutputs<RequestId> sideOutputs)
        implements Role<SubmittedBatch, RequestId, CollectedResult<OUT>> {

    @Override
    public BatchCodec<RequestId, CollectedResult<OUT>> codec() {
        return new ResultsOnly<>(results);
    }

    @Override
    public Intake<SubmittedBatch, RequestId, CollectedResult<OUT>> intake(
            Intake.Parts<RequestId, CollectedResult<OUT>> parts) {
        return new SubmittedBatchIntake<>(parts);
    }

    @Override
    public TypeSerializer<RequestId> rowSerializer(
            TypeSerializer<SubmittedBatch> elementSerializer, ExecutionConfig executionConfig) {
        return Types.POJO(RequestId.class).createSerializer(executionConfig.getSerializerConfig());
    }

    private record ResultsOnly<OUT>(ResultCodec<OUT> results)
            implements BatchCodec<RequestId, CollectedResult<OUT>> {

        @Override
        public String request(RequestId row) {
            throw new IllegalStateException("a collector submits nothing");
        }

        @Override
        public CollectedResult<OUT> result(RequestId request, String response) throws Exception {
            return new CollectedResult<>(request, results.result(request.customId, response));
        }
    }
}
