package io.asyncbatch.flink.graph;

import io.asyncbatch.flink.batchapi.BatchInferenceCollector;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.batchapi.CollectedResult;
import io.asyncbatch.flink.batchapi.FailedRow;
import io.asyncbatch.flink.batchapi.RequestId;
import io.asyncbatch.flink.batchapi.SubmittedBatch;
import io.asyncbatch.flink.batchapi.SubmittedBatchSchema;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.types.Row;

/**
 * Collection of what another job has submitted, before a function of Python's that makes results of
 * responses. Used by the client; no Python runs in the operator.
 */
@Internal
public final class PythonBatchCollection {

    private PythonBatchCollection() {}

    /**
     * Adds the operator to the job.
     *
     * @param batches as {@link SubmittedBatchSchema} writes them; one that it does not read fails
     *     the job
     * @param outputType of rows of a batch's id, a {@code custom_id}, a topic, the response, and,
     *     where there is none, a code, a message and the number of submissions
     * @param options by their names in a configuration
     * @return what has a response and, with {@link BatchInferenceOptions.OnFailure#SIDE_OUTPUT},
     *     what has none
     * @throws IllegalArgumentException if an option is refused
     */
    public static DataStream<Row> add(
            DataStream<String> batches,
            TypeInformation<Row> outputType,
            Map<String, String> options,
            String name) {
        BatchInferenceOptions checked =
                BatchInferenceOptions.fromConfiguration(Configuration.fromMap(options));
        SingleOutputStreamOperator<CollectedResult<String>> collected =
                BatchInferenceCollector.apply(
                                batches.map(new Batches(), Types.POJO(SubmittedBatch.class))
                                        .name(name + ": batches"),
                                (customId, response) -> response,
                                Types.STRING,
                                checked)
                        .name(name);
        DataStream<Row> answered = collected.map(new Results(), outputType).name(name + ": rows");
        if (checked.get(BatchInferenceOptions.ON_FAILURE) == BatchInferenceOptions.OnFailure.FAIL) {
            return answered;
        }
        return answered.union(
                collected
                        .getSideOutput(BatchInferenceCollector.failedRequests())
                        .map(new Failures(), outputType)
                        .name(name + ": failed requests"));
    }

    private static final class Batches implements MapFunction<String, SubmittedBatch> {

        private static final long serialVersionUID = 1L;

        private final SubmittedBatchSchema schema = new SubmittedBatchSchema();

        @Override
        public SubmittedBatch map(String json) throws IOException {
            return schema.deserialize(json.getBytes(StandardCharsets.UTF_8));
        }
    }

    private static final class Results implements MapFunction<CollectedResult<String>, Row> {

        private static final long serialVersionUID = 1L;

        @Override
        public Row map(CollectedResult<String> collected) {
            return row(collected.request, collected.result, null, null, null);
        }
    }

    private static final class Failures implements MapFunction<FailedRow<RequestId>, Row> {

        private static final long serialVersionUID = 1L;

        @Override
        public Row map(FailedRow<RequestId> failed) {
            return row(failed.row, null, failed.code, failed.message, failed.attempts);
        }
    }

    private static Row row(
            RequestId request, String response, String code, String message, Integer attempts) {
        return Row.of(
                request.batchId,
                request.customId,
                request.resultsTopic,
                response,
                code,
                message,
                attempts);
    }
}
