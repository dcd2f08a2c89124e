package io.asyncbatch.flink.table;

import io.asyncbatch.flink.batchapi.BatchCodec;
import io.asyncbatch.flink.batchapi.BatchInference;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.table.stream.BatchApiRows;
import io.asyncbatch.flink.table.stream.RequestColumn;
import java.util.Objects;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.types.Row;

/**
 * {@link BatchInference} for tables: a table in, a table with the same columns and those of the
 * results out, with the operator's state between them. Register what comes out as a view, and SQL
 * selects from it. Used by the client.
 *
 * <p>With {@link BatchInferenceOptions.OnFailure#SIDE_OUTPUT} rows that fail for good stay in the
 * table: their results are null, and the column {@code failure} is a row of {@code code}, {@code
 * message} and {@code attempts}, which is null where there is a result.
 *
 * <p>Options may come from the environment: {@code ml.batch.enabled}, {@code ml.batch.api.endpoint}
 * and the others, set in its configuration, with {@code
 * BatchInferenceOptions.fromConfiguration(environment.getConfig())}.
 */
@PublicEvolving
public final class TableBatchInference {

    private static final String NAME = "batch inference";

    private TableBatchInference() {}

    /**
     * Sends the requests that a column holds.
     *
     * @param table only appends rows; time attributes keep their watermarks
     * @param requestColumn a string, one JSON value: with OpenAI's API the body of a call, which
     *     {@code JSON_OBJECT} of SQL makes. A row whose request is null or no JSON fails
     * @param responseName of the column that is added: a string of JSON, which {@code JSON_VALUE}
     *     reads
     * @throws ValidationException if the column is not there or no string, one of the result's is
     *     there already, or a column's type is not supported
     * @throws IllegalArgumentException if an option means nothing here
     * @throws org.apache.flink.table.api.TableException if the table updates or deletes rows
     */
    public static Table apply(
            StreamTableEnvironment environment,
            Table table,
            String requestColumn,
            String responseName,
            BatchInferenceOptions options) {
        Objects.requireNonNull(options, "options");
        return apply(
                environment,
                table,
                RequestColumn.of(table, requestColumn),
                RequestColumn.result(responseName),
                options);
    }

    /**
     * Has a codec make requests of rows and results of responses.
     *
     * @param table only appends rows; time attributes keep their watermarks
     * @param codec gets rows of the table's columns, by name and by position, and gives rows of the
     *     result's fields
     * @param result a ROW, whose fields are the columns that are added
     * @throws ValidationException if the result is no ROW, one of its columns is there already, or
     *     a column's type is not supported
     * @throws IllegalArgumentException if an option means nothing here
     * @throws org.apache.flink.table.api.TableException if the table updates or deletes rows
     */
    public static Table apply(
            StreamTableEnvironment environment,
            Table table,
            BatchCodec<Row, Row> codec,
            DataType result,
            BatchInferenceOptions options) {
        Objects.requireNonNull(codec, "codec");
        Objects.requireNonNull(options, "options");
        if (!(result.getLogicalType() instanceof RowType)) {
            throw new ValidationException(
                    "The result must be a ROW, whose fields are the columns that are added, got %s."
                            .formatted(result.getLogicalType().asSummaryString()));
        }
        return BatchApiRows.joined(environment, table, codec, result, options, NAME);
    }
}
