package io.asyncbatch.flink.table.stream;

import io.asyncbatch.flink.batchapi.BatchCodec;
import io.asyncbatch.flink.batchapi.BatchInference;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions.OnFailure;
import io.asyncbatch.flink.batchapi.FailedRow;
import io.asyncbatch.flink.table.backend.PythonTypes;
import java.util.ArrayList;
import java.util.List;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.types.Row;

/**
 * Rows of tables through a Batch API, joined with what comes of them. Stateless; the client's
 * thread.
 */
@Internal
public final class BatchApiRows {

    /** The column of what has no result, where that does not fail the job. */
    public static final String FAILURE = "failure";

    private BatchApiRows() {}

    /**
     * The columns that results add to a table, as a ROW. Where rows without a result do not fail
     * the job, any of them may be null, and {@link #FAILURE} says why.
     *
     * @param result of one result
     * @param resultName of the column that it makes; null if it is a ROW whose fields are the
     *     columns
     */
    public static DataType added(
            DataType result, @Nullable String resultName, BatchInferenceOptions options) {
        boolean putsAside = putsFailuresAside(options);
        List<DataTypes.Field> fields = new ArrayList<>();
        if (resultName == null) {
            List<String> names = ((RowType) result.getLogicalType()).getFieldNames();
            for (int field = 0; field < names.size(); field++) {
                DataType type = result.getChildren().get(field);
                fields.add(DataTypes.FIELD(names.get(field), putsAside ? type.nullable() : type));
            }
        } else {
            fields.add(DataTypes.FIELD(resultName, putsAside ? result.nullable() : result));
        }
        if (putsAside) {
            fields.add(
                    DataTypes.FIELD(
                            FAILURE,
                            DataTypes.ROW(
                                    DataTypes.FIELD("code", DataTypes.STRING()),
                                    DataTypes.FIELD("message", DataTypes.STRING()),
                                    DataTypes.FIELD("attempts", DataTypes.INT()))));
        }
        return DataTypes.ROW(fields.toArray(DataTypes.Field[]::new)).notNull();
    }

    /**
     * @throws ValidationException if the table has a column of such a name already
     */
    public static void requireNew(Table table, DataType added) {
        List<String> names = table.getResolvedSchema().getColumnNames();
        for (String name : ((RowType) added.getLogicalType()).getFieldNames()) {
            if (names.contains(name)) {
                throw new ValidationException(
                        "The table already has a column '%s', which the result would add: rename one of them."
                                .formatted(name));
            }
        }
    }

    /**
     * Sends the rows of a table through the API.
     *
     * @param codec takes rows of its columns and gives rows of the result's
     * @param result a ROW, without a failure
     * @throws ValidationException if the table or a column is refused
     * @throws IllegalArgumentException if an option means nothing here
     */
    public static Table joined(
            StreamTableEnvironment environment,
            Table table,
            BatchCodec<Row, Row> codec,
            DataType result,
            BatchInferenceOptions options,
            String name) {
        DataType added = added(result, null, options);
        requireNew(table, added);
        DataStream<Row> rows = TableStreams.rows(environment, table);
        int columns = table.getResolvedSchema().getColumnCount();
        return TableStreams.table(
                environment,
                joined(rows, columns, codec, added, options, name),
                table,
                added,
                null);
    }

    /**
     * Sends rows through the API.
     *
     * @param kept how many of the rows' columns stay, from the first
     * @param codec gives rows of the result's columns, without a failure's
     * @param added see {@link #added}
     * @return rows of the columns that stay and of those that are added
     * @throws IllegalArgumentException if an option means nothing here
     */
    public static DataStream<Row> joined(
            DataStream<Row> rows,
            int kept,
            BatchCodec<Row, Row> codec,
            DataType added,
            BatchInferenceOptions options,
            String name) {
        RowJoin join = new RowJoin(List.of(), null, kept);
        RowType columns = (RowType) added.getLogicalType();
        @SuppressWarnings("unchecked")
        TypeInformation<Row> type =
                (TypeInformation<Row>)
                        join.outputType(rows.getType(), PythonTypes.of(columns).typeInformation());
        boolean putsAside = putsFailuresAside(options);
        SingleOutputStreamOperator<Row> answered =
                BatchInference.apply(
                                rows,
                                new JoiningCodec(codec, join, columns.getFieldCount(), putsAside),
                                type,
                                options)
                        .name(name);
        if (!putsAside) {
            return answered;
        }
        return answered.union(
                answered.getSideOutput(BatchInference.failedRows(rows.getType()))
                        .map(new Failures(join, columns.getFieldCount()), type)
                        .name(name + ": failed rows"));
    }

    private static boolean putsFailuresAside(BatchInferenceOptions options) {
        return options.get(BatchInferenceOptions.ON_FAILURE) == OnFailure.SIDE_OUTPUT;
    }

    /** Joins a result to its row, and no failure. */
    private record JoiningCodec(
            BatchCodec<Row, Row> codec, RowJoin join, int added, boolean putsAside)
            implements BatchCodec<Row, Row> {

        @Override
        public String request(Row row) throws Exception {
            return codec.request(row);
        }

        @Override
        public Row result(Row row, String response) throws Exception {
            Row result = codec.result(row, response);
            int wanted = putsAside ? added - 1 : added;
            if (result.getArity() != wanted) {
                throw new IllegalStateException(
                        "the codec's result has %d fields, its type says %d"
                                .formatted(result.getArity(), wanted));
            }
            return join.output(row, putsAside ? Row.join(result, Row.of((Object) null)) : result);
        }
    }

    /** Joins a failure to its row, and no result. */
    private record Failures(RowJoin join, int added) implements MapFunction<FailedRow<Row>, Row> {

        @Override
        public Row map(FailedRow<Row> failed) {
            Row nothing = new Row(added);
            nothing.setField(added - 1, Row.of(failed.code, failed.message, failed.attempts));
            return join.output(failed.row, nothing);
        }
    }
}
