package io.asyncbatch.flink.sidecar.codec;

import java.util.LinkedHashMap;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;
import org.apache.flink.types.RowUtils;

/**
 * Makes rows whose fields have positions and names, as Flink's own serializer does, of the kind
 * that the record has. Stateless.
 */
final class RowMaker<IN> implements RecordMaker<IN, Row> {

    private static final long serialVersionUID = 1L;

    private final ResultFields<IN> fields;
    private final LinkedHashMap<String, Integer> positions = new LinkedHashMap<>();

    RowMaker(ResultFields<IN> fields) {
        this.fields = fields;
        for (String name : fields.names()) {
            positions.put(name, positions.size());
        }
    }

    @Override
    public boolean needsRecord() {
        return !fields.copies().isEmpty();
    }

    @Override
    public Row make(IN record, Object[] values) {
        RowKind kind = record instanceof Row row ? row.getKind() : RowKind.INSERT;
        return RowUtils.createRowWithNamedPositions(kind, fields.of(record, values), positions);
    }
}
