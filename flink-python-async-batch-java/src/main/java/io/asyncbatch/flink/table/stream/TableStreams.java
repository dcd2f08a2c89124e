package io.asyncbatch.flink.table.stream;

import io.asyncbatch.flink.table.backend.PythonTypes;
import io.asyncbatch.flink.table.backend.PythonTypes.PythonType;
import io.asyncbatch.flink.table.backend.SchemaCheck;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.catalog.Column;
import org.apache.flink.table.runtime.typeutils.ExternalTypeInfo;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;
import org.apache.flink.table.types.logical.utils.LogicalTypeUtils;
import org.apache.flink.types.Row;

/**
 * A table as a stream of the rows that a worker's bridge takes, and the results as a table again.
 * Stateless; the client's thread, through Py4J.
 */
@Internal
public final class TableStreams {

    private TableStreams() {}

    /**
     * The rows of a table that only appends.
     *
     * @throws ValidationException if a column does not travel to a worker
     * @throws org.apache.flink.table.api.TableException if the table updates or deletes rows
     */
    public static DataStream<Row> rows(StreamTableEnvironment environment, Table table) {
        PythonType type = PythonTypes.of(columns(table));
        return environment
                .<Row>toDataStream(table, type.dataType().notNull())
                .map(new AsTheyAre())
                .name("rows of table")
                .returns(rowType(type));
    }

    /**
     * What a function that returns values of this type gives a worker's bridge.
     *
     * @param result a ROW if the function returns rows
     */
    public static TypeInformation<?> resultType(DataType result) {
        LogicalType type = result.getLogicalType();
        if (type instanceof RowType row) {
            return PythonTypes.of(row).typeInformation();
        }
        PythonType wrapped = PythonTypes.of(RowType.of(type));
        return rowType(wrapped).getTypeAt(0);
    }

    /**
     * The results as a table: the columns of the input, and those of the result.
     *
     * @param results rows of these columns
     * @param resultName see {@link RowJoin}
     */
    public static Table table(
            StreamTableEnvironment environment,
            DataStream<Row> results,
            Table input,
            DataType result,
            String resultName) {
        List<RowType.RowField> fields = new ArrayList<>(columns(input).getFields());
        if (resultName == null) {
            fields.addAll(((RowType) result.getLogicalType()).getFields());
        } else {
            fields.add(new RowType.RowField(resultName, result.getLogicalType()));
        }
        DataType dataType = PythonTypes.of(new RowType(false, fields)).dataType();
        Schema.Builder schema = Schema.newBuilder().fromRowDataType(dataType);
        rowtime(input).ifPresent(column -> schema.watermark(column, "SOURCE_WATERMARK()"));
        return environment.fromDataStream(
                results.map(new Checked(dataType.getLogicalType()))
                        .name("table of results")
                        .returns(ExternalTypeInfo.of(dataType)),
                schema.build());
    }

    private static RowType columns(Table table) {
        RowType row = (RowType) table.getResolvedSchema().toSourceRowDataType().getLogicalType();
        return (RowType) LogicalTypeUtils.removeTimeAttributes(row);
    }

    private static Optional<String> rowtime(Table table) {
        return table.getResolvedSchema().getColumns().stream()
                .filter(
                        column ->
                                LogicalTypeChecks.isRowtimeAttribute(
                                        column.getDataType().getLogicalType()))
                .map(Column::getName)
                .findFirst();
    }

    private static RowTypeInfo rowType(PythonType type) {
        return (RowTypeInfo) type.typeInformation();
    }

    /** Only the type changes. */
    private static final class AsTheyAre implements MapFunction<Row, Row> {

        private static final long serialVersionUID = 1L;

        @Override
        public Row map(Row row) {
            return row;
        }
    }

    private static final class Checked implements MapFunction<Row, Row> {

        private static final long serialVersionUID = 1L;

        private final SchemaCheck check;

        private Checked(LogicalType type) {
            this.check = new SchemaCheck(type);
        }

        @Override
        public Row map(Row row) {
            check.require(row);
            return row;
        }
    }
}
