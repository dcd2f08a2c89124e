package io.asyncbatch.flink.table.stream;

import io.asyncbatch.flink.batchapi.BatchCodec;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.catalog.ResolvedSchema;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeFamily;
import org.apache.flink.types.Row;

/**
 * Requests that were made before they came: a column of rows holds them, and another, maybe, why
 * there is none. The result is the response as it is. Stateless; travels with the job graph.
 */
@Internal
public final class RequestColumn implements BatchCodec<Row, Row> {

    private static final long serialVersionUID = 1L;

    private static final int NONE = -1;

    private final int request;
    private final int refusal;

    private RequestColumn(int request) {
        this(request, NONE);
    }

    /**
     * @param request by position
     * @param refusal by position: why there is no request, where there is none
     */
    public RequestColumn(int request, int refusal) {
        this.request = request;
        this.refusal = refusal;
    }

    /**
     * @throws ValidationException if the table has no such column, or no string in it
     */
    public static RequestColumn of(Table table, String column) {
        ResolvedSchema schema = table.getResolvedSchema();
        int position = schema.getColumnNames().indexOf(column);
        if (position < 0) {
            throw new ValidationException(
                    "The table has no column '%s': it has %s."
                            .formatted(column, schema.getColumnNames()));
        }
        LogicalType type = schema.getColumnDataTypes().get(position).getLogicalType();
        if (!type.is(LogicalTypeFamily.CHARACTER_STRING)) {
            throw new ValidationException(
                    "Column '%s' must be a STRING, the request as JSON, got %s."
                            .formatted(column, type.asSummaryString()));
        }
        return new RequestColumn(position);
    }

    /** What this gives for a row: the response, which is never null, in a column of that name. */
    public static DataType result(String responseName) {
        return DataTypes.ROW(DataTypes.FIELD(responseName, DataTypes.STRING().notNull()));
    }

    @Override
    public String request(Row row) throws RequestRefusedException {
        @Nullable String refused = refusal == NONE ? null : row.<String>getFieldAs(refusal);
        if (refused != null) {
            throw new RequestRefusedException(refused);
        }
        String given = row.getFieldAs(request);
        if (given == null) {
            throw new RequestRefusedException("the request is null");
        }
        return given;
    }

    @Override
    public Row result(Row row, String response) {
        return Row.of(response);
    }

    /** What was said before, without the name of a Java class before it. */
    private static final class RequestRefusedException extends Exception {

        private static final long serialVersionUID = 1L;

        RequestRefusedException(String reason) {
            super(reason);
        }

        @Override
        public String toString() {
            return getMessage();
        }
    }
}
