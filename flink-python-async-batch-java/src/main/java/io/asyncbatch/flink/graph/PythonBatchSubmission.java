package io.asyncbatch.flink.graph;

import io.asyncbatch.flink.batchapi.BatchInference;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.batchapi.BatchInferenceSubmitter;
import io.asyncbatch.flink.batchapi.FailedRow;
import io.asyncbatch.flink.batchapi.SubmittedBatch;
import io.asyncbatch.flink.batchapi.SubmittedBatchSchema;
import io.asyncbatch.flink.batchapi.SubmittedRow;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.types.Row;

/**
 * Submission between two functions of Python's: one that has made each element's request, and one
 * that tells batches, their elements and failures apart. Used by the client; no Python runs in the
 * operator.
 */
@Internal
public final class PythonBatchSubmission {

    private PythonBatchSubmission() {}

    /**
     * Adds the operator to the job.
     *
     * @param requests see {@link RequestsOfPython}
     * @param outputType of rows of a batch, as {@link SubmittedBatchSchema} writes it, or else an
     *     element, with its {@code custom_id} or with a code, a message and the number of
     *     submissions
     * @param options by their names in a configuration
     * @return batches and their elements, in any order, and, with {@link
     *     BatchInferenceOptions.OnFailure#SIDE_OUTPUT}, what the provider does not take
     * @throws IllegalArgumentException if an option is refused
     */
    public static DataStream<Row> add(
            DataStream<Row> requests,
            TypeInformation<Row> outputType,
            Map<String, String> options,
            String name) {
        BatchInferenceOptions checked =
                BatchInferenceOptions.fromConfiguration(Configuration.fromMap(options));
        SingleOutputStreamOperator<SubmittedBatch> submitted =
                BatchInferenceSubmitter.apply(requests, RequestsOfPython.codec(), checked)
                        .name(name);
        DataStream<Row> told =
                submitted
                        .map(new Batches(), outputType)
                        .name(name + ": batches")
                        .union(
                                submitted
                                        .getSideOutput(
                                                BatchInferenceSubmitter.submittedRows(
                                                        requests.getType()))
                                        .map(new Rows(), outputType)
                                        .name(name + ": rows"));
        if (checked.get(BatchInferenceOptions.ON_FAILURE) == BatchInferenceOptions.OnFailure.FAIL) {
            return told;
        }
        return told.union(
                submitted
                        .getSideOutput(BatchInference.failedRows(requests.getType()))
                        .map(new Failures(), outputType)
                        .name(name + ": failed rows"));
    }

    private static final class Batches implements MapFunction<SubmittedBatch, Row> {

        private static final long serialVersionUID = 1L;

        private final SubmittedBatchSchema schema = new SubmittedBatchSchema();

        @Override
        public Row map(SubmittedBatch batch) {
            String json = new String(schema.serialize(batch), StandardCharsets.UTF_8);
            return Row.of(json, null, null, null, null, null);
        }
    }

    private static final class Rows implements MapFunction<SubmittedRow<Row>, Row> {

        private static final long serialVersionUID = 1L;

        @Override
        public Row map(SubmittedRow<Row> submitted) {
            Object element = submitted.row.getField(RequestsOfPython.ELEMENT);
            return Row.of(null, element, submitted.customId, null, null, null);
        }
    }

    private static final class Failures implements MapFunction<FailedRow<Row>, Row> {

        private static final long serialVersionUID = 1L;

        @Override
        public Row map(FailedRow<Row> failed) {
            Object element = failed.row.getField(RequestsOfPython.ELEMENT);
            return Row.of(null, element, null, failed.code, failed.message, failed.attempts);
        }
    }
}
