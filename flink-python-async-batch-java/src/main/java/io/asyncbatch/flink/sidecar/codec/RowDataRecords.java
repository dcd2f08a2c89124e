package io.asyncbatch.flink.sidecar.codec;

import io.asyncbatch.flink.sidecar.TensorField;
import java.util.List;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;

/** Records of the table runtime; stateless. */
final class RowDataRecords implements RecordType<RowData> {

    private final RowType type;

    RowDataRecords(RowType type) {
        this.type = type;
    }

    @Override
    public String description() {
        return type.asSummaryString();
    }

    @Override
    public List<String> fieldNames() {
        return type.getFieldNames();
    }

    @Override
    public Column<?> column(int position, TensorField field) {
        return LogicalTypeColumns.of(
                type.getTypeAt(position),
                field.getDataType().orElse(null),
                field.getShape().orElse(null));
    }

    @Override
    public FieldReader<RowData> reader(int position) {
        return new FieldReader.OfRowData(
                RowData.createFieldGetter(type.getTypeAt(position), position), position);
    }

    @Override
    public boolean takes(int position, RecordType<?> other, int otherPosition) {
        if (!(other instanceof RowDataRecords records)) {
            return false;
        }
        LogicalType here = type.getTypeAt(position);
        LogicalType there = records.type.getTypeAt(otherPosition);
        return here.copy(there.isNullable()).equals(there)
                && (here.isNullable() || !there.isNullable());
    }

    @Override
    public <IN> RecordMaker<IN, RowData> maker(ResultFields<IN> fields) {
        return new RowDataMaker<>(fields);
    }
}
