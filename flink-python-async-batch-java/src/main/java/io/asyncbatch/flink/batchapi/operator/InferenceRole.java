package io.asyncbatch.flink.batchapi.operator;

import io.asyncbatch.flink.batchapi.BatchCodec;
import io.asyncbatch.flink.batchapi.job.SideOutputs;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.typeutils.TypeSerializer;

/** All of the way: rows come in, results leave. */
record InferenceRole<IN, OUT>(BatchCodec<IN, OUT> codec, SideOutputs<IN> sideOutputs)
        implements Role<IN, IN, OUT> {

    @Override
    public Intake<IN, IN, OUT> intake(Intake.Parts<IN, OUT> parts) {
        return new RowIntake<>(parts);
    }

    @Override
    public TypeSerializer<IN> rowSerializer(
            TypeSerializer<IN> elementSerializer, ExecutionConfig executionConfig) {
        return elementSerializer;
    }
}
