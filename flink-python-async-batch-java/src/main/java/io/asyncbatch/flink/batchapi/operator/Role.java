package io.asyncbatch.flink.batchapi.operator;

import io.asyncbatch.flink.batchapi.BatchCodec;
import io.asyncbatch.flink.batchapi.job.BatchJob;
import io.asyncbatch.flink.batchapi.job.SideOutputs;
import java.io.Serializable;
import java.time.Instant;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.typeutils.TypeSerializer;

/**
 * Which part of the way from rows to results an operator has: all of it, or the one before or after
 * the API has a job. Immutable; travels with the job.
 *
 * @param <E> type of what comes in
 * @param <IN> type of the rows that jobs are made of
 * @param <OUT> type of the outputs
 */
interface Role<E, IN, OUT> extends Serializable {

    /** Of this copy of the role alone. */
    BatchCodec<IN, OUT> codec();

    Intake<E, IN, OUT> intake(Intake.Parts<IN, OUT> parts);

    TypeSerializer<IN> rowSerializer(
            TypeSerializer<E> elementSerializer, ExecutionConfig executionConfig);

    SideOutputs<IN> sideOutputs();

    /** Whether somebody else waits for the results. */
    default boolean endsOnCreation() {
        return false;
    }

    /** What leaves when the API has a job whose results somebody else waits for. */
    default OUT announcement(BatchJob<IN> job, Instant now) {
        throw new IllegalStateException("this operator waits for results itself");
    }
}
