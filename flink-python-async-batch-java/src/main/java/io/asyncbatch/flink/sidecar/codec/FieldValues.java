package io.asyncbatch.flink.sidecar.codec;

import java.util.AbstractList;
import java.util.List;
import java.util.RandomAccess;

/** One field of all records of a batch, read anew each time. */
final class FieldValues<IN> extends AbstractList<Object> implements RandomAccess {

    private final List<IN> records;
    private final FieldReader<IN> reader;
    private final ColumnName name;

    FieldValues(List<IN> records, FieldReader<IN> reader, ColumnName name) {
        this.records = records;
        this.reader = reader;
        this.name = name;
    }

    @Override
    public Object get(int index) {
        IN record = records.get(index);
        try {
            return record == null ? null : reader.read(record);
        } catch (UnfitElementException e) {
            throw name.misfit(index, e.getMessage());
        }
    }

    @Override
    public int size() {
        return records.size();
    }
}
