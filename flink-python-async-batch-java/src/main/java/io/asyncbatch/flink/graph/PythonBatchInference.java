package io.asyncbatch.flink.graph;

import io.asyncbatch.flink.batchapi.BatchCodec;
import io.asyncbatch.flink.batchapi.BatchInference;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.batchapi.FailedRow;
import io.asyncbatch.flink.table.stream.RequestColumn;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.types.Row;

/**
 * Batch inference between two functions of Python's: one that has made each element's request, and
 * one that makes results of responses. Used by the client; no Python runs in the operator.
 */
@Internal
public final class PythonBatchInference {

    private PythonBatchInference() {}

    /**
     * Adds the operator to the job.
     *
     * @param requests see {@link RequestsOfPython}
     * @param outputType of rows of the element, its response, and, where there is none, a code, a
     *     message and the number of submissions
     * @param options by their names in a configuration
     * @return what has a response and, with {@link BatchInferenceOptions.OnFailure#SIDE_OUTPUT},
     *     what has none for good
     * @throws IllegalArgumentException if an option is refused
     */
    public static DataStream<Row> add(
            DataStream<Row> requests,
            TypeInformation<Row> outputType,
            Map<String, String> options,
            String name) {
        BatchInferenceOptions checked =
                BatchInferenceOptions.fromConfiguration(Configuration.fromMap(options));
        SingleOutputStreamOperator<Row> answered =
                BatchInference.apply(requests, new ResponsesForPython(), outputType, checked)
                        .name(name);
        if (checked.get(BatchInferenceOptions.ON_FAILURE) == BatchInferenceOptions.OnFailure.FAIL) {
            return answered;
        }
        return answered.union(
                answered.getSideOutput(BatchInference.failedRows(requests.getType()))
                        .map(new Failures(), outputType)
                        .name(name + ": failed rows"));
    }

    private static final class ResponsesForPython implements BatchCodec<Row, Row> {

        private static final long serialVersionUID = 1L;

        private final RequestColumn requests = RequestsOfPython.codec();

        @Override
        public String request(Row row) throws Exception {
            return requests.request(row);
        }

        @Override
        public Row result(Row row, String response) {
            return Row.of(row.getField(RequestsOfPython.ELEMENT), response, null, null, null);
        }
    }

    private static final class Failures implements MapFunction<FailedRow<Row>, Row> {

        private static final long serialVersionUID = 1L;

        @Override
        public Row map(FailedRow<Row> failed) {
            return Row.of(
                    failed.row.getField(RequestsOfPython.ELEMENT),
                    null,
                    failed.code,
                    failed.message,
                    failed.attempts);
        }
    }
}
