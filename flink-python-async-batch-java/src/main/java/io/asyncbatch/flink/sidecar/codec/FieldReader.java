package io.asyncbatch.flink.sidecar.codec;

import java.io.Serializable;
import org.apache.flink.table.data.RowData;
import org.apache.flink.types.Row;

/**
 * Takes one field out of a record; stateless.
 *
 * @param <IN> type of the records
 */
interface FieldReader<IN> extends Serializable {

    /**
     * @param record not null
     * @throws UnfitElementException if the record has no such field
     */
    Object read(IN record);

    /** The record is its only field. */
    record Whole<IN>() implements FieldReader<IN> {

        @Override
        public Object read(IN record) {
            return record;
        }
    }

    /** By name only where the row has no positions, as one of {@code Row.withNames}. */
    record OfRow(String name, int position) implements FieldReader<Row> {

        @Override
        public Object read(Row row) {
            if (row.getFieldNames(false) != null) {
                return row.getField(name);
            }
            if (position >= row.getArity()) {
                throw new UnfitElementException(
                        "is missing, the row has %d fields".formatted(row.getArity()));
            }
            return row.getField(position);
        }
    }

    /** See {@link RowData#createFieldGetter}. */
    record OfRowData(RowData.FieldGetter getter, int position) implements FieldReader<RowData> {

        @Override
        public Object read(RowData row) {
            if (position >= row.getArity()) {
                throw new UnfitElementException(
                        "is missing, the row has %d fields".formatted(row.getArity()));
            }
            return getter.getFieldOrNull(row);
        }
    }
}
