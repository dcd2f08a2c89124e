package io.asyncbatch.flink.graph;

import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.table.TableBatchInference;
import io.asyncbatch.flink.table.stream.BatchApiRows;
import io.asyncbatch.flink.table.stream.RequestColumn;
import java.util.Map;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.types.DataType;
import org.apache.flink.types.Row;

/**
 * Batch inference for tables, whose codec, if there is one, runs in our workers before and after
 * the operator. Used by the client.
 */
@Internal
public final class PythonTableBatchInference {

    /** No column of a table that anybody would have. */
    private static final String RESPONSE = "async_batch_response";

    private PythonTableBatchInference() {}

    /**
     * See {@link TableBatchInference}.
     *
     * @param options by their names in a configuration
     * @throws IllegalArgumentException if an option is refused
     */
    public static Table ofRequests(
            StreamTableEnvironment environment,
            Table table,
            String requestColumn,
            String responseName,
            Map<String, String> options,
            String name) {
        return BatchApiRows.joined(
                environment,
                table,
                RequestColumn.of(table, requestColumn),
                RequestColumn.result(responseName),
                checked(options),
                name);
    }

    /**
     * The columns that results add; see {@link BatchApiRows#added}.
     *
     * @throws org.apache.flink.table.api.ValidationException if the table has one of them already
     */
    public static DataType added(
            Table table,
            DataType result,
            @Nullable String resultName,
            Map<String, String> options) {
        DataType added = BatchApiRows.added(result, resultName, checked(options));
        BatchApiRows.requireNew(table, added);
        return added;
    }

    /**
     * Adds the operator to the job.
     *
     * @param requests rows of some columns, a request and, where there is none, why
     * @param columns how many
     * @return rows of the columns, the response and, if the options put rows aside, a failure
     */
    public static DataStream<Row> answered(
            DataStream<Row> requests, int columns, Map<String, String> options, String name) {
        BatchInferenceOptions checked = checked(options);
        return BatchApiRows.joined(
                requests,
                columns,
                new RequestColumn(columns, columns + 1),
                BatchApiRows.added(RequestColumn.result(RESPONSE), null, checked),
                checked,
                name);
    }

    private static BatchInferenceOptions checked(Map<String, String> options) {
        return BatchInferenceOptions.fromConfiguration(Configuration.fromMap(options));
    }
}
