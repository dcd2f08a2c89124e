package io.asyncbatch.flink.sidecar.codec;

import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.types.RowKind;

/** Makes rows of the table runtime, of the kind that the record has. Stateless. */
final class RowDataMaker<IN> implements RecordMaker<IN, RowData> {

    private static final long serialVersionUID = 1L;

    private final ResultFields<IN> fields;

    RowDataMaker(ResultFields<IN> fields) {
        this.fields = fields;
    }

    @Override
    public boolean needsRecord() {
        return !fields.copies().isEmpty();
    }

    @Override
    public RowData make(IN record, Object[] values) {
        RowKind kind = record instanceof RowData row ? row.getRowKind() : RowKind.INSERT;
        return GenericRowData.ofKind(kind, fields.of(record, values));
    }
}
