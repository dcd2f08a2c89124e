package io.asyncbatch.flink.table.backend;

import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.conversion.DataStructureConverter;
import org.apache.flink.table.data.conversion.DataStructureConverters;
import org.apache.flink.table.types.DataType;
import org.apache.flink.types.Row;

/** Rows of the table runtime as {@link Row}s of external classes, and back by their schema. */
final class ExternalRows implements RowConversion<Row> {

    private static final long serialVersionUID = 1L;

    private final DataType dataType;
    private transient DataStructureConverter<Object, Object> converter;
    private final SchemaCheck check;

    /**
     * @param dataType a ROW
     */
    ExternalRows(DataType dataType) {
        this.dataType = dataType;
        this.check = new SchemaCheck(dataType.getLogicalType());
    }

    @Override
    public void open(ClassLoader userCode) {
        converter = DataStructureConverters.getConverter(dataType);
        converter.open(userCode);
    }

    @Override
    public Row toExternal(RowData row) {
        return (Row) converter.toExternal(row);
    }

    @Override
    public RowData toInternal(Row row) {
        check.require(row);
        return (RowData) converter.toInternal(row);
    }
}
