package io.asyncbatch.flink.arrow;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Set;
import org.apache.arrow.vector.TinyIntVector;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;
import org.apache.flink.types.RowUtils;

/**
 * Kind and fields of a row, as columns of a batch or as members of a struct. Owned by its writer's
 * or reader's thread.
 */
final class RowFields implements ElementConverter {

    private static final RowKind[] KINDS = RowKind.values();

    private final FieldPosition position;
    private final TinyIntVector kinds;
    private final FieldConverter[] fields;
    private final FieldColumns columns;
    private final List<String> names;
    private final LinkedHashMap<String, Integer> positionByName = new LinkedHashMap<>();

    RowFields(
            FieldPosition position,
            TinyIntVector kinds,
            FieldConverter[] fields,
            List<String> names) {
        this.position = position;
        this.kinds = kinds;
        this.fields = fields;
        this.columns = new FieldColumns(fields);
        this.names = names;
        for (int i = 0; i < names.size(); i++) {
            positionByName.put(names.get(i), i);
        }
    }

    @Override
    public boolean differInSize() {
        return columns.differInSize();
    }

    @Override
    public void measure(Object element) {
        if (!(element instanceof Row row) || row.getArity() != fields.length) {
            return;
        }
        Set<String> rowNames = row.getFieldNames(false);
        for (int i = 0; i < fields.length; i++) {
            if (rowNames == null) {
                fields[i].measure(row.getField(i));
            } else if (rowNames.contains(names.get(i))) {
                fields[i].measure(row.getField(names.get(i)));
            }
        }
    }

    @Override
    public long plannedBytes(int rows) {
        long bytes = columns.plannedBytes(rows);
        return bytes == FieldConverter.UNKNOWN
                ? bytes
                : bytes + 2 * FieldConverter.bufferBytes(rows, 1);
    }

    @Override
    public void allocate(int rows) {
        kinds.allocateNew(rows);
        columns.allocate(rows);
    }

    @Override
    public void writeElement(int index, Object element) {
        if (!(element instanceof Row row)) {
            throw misfit(element == null ? "null" : element.getClass().getName());
        }
        if (row.getArity() != fields.length) {
            throw misfit("a row of " + row.getArity() + " fields");
        }
        kinds.setSafe(index, row.getKind().toByteValue());
        Set<String> rowNames = row.getFieldNames(false);
        if (rowNames == null) {
            for (int i = 0; i < fields.length; i++) {
                fields[i].write(index, row.getField(i));
            }
        } else if (rowNames.equals(positionByName.keySet())) {
            // A row made by Row.withNames() can only be read by name.
            for (int i = 0; i < fields.length; i++) {
                fields[i].write(index, row.getField(names.get(i)));
            }
        } else {
            throw misfit("a row with other field names");
        }
    }

    @Override
    public Object readElement(int index) {
        byte kind = kinds.isNull(index) ? -1 : kinds.get(index);
        if (kind < 0 || kind >= KINDS.length) {
            throw new MalformedBatchException(
                    "Field '" + position.path() + "' holds no row kind at position " + index + ".");
        }
        Object[] values = new Object[fields.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = fields[i].read(index);
        }
        // As Flink's own serializer returns them: readable by position and by name.
        return RowUtils.createRowWithNamedPositions(
                RowKind.fromByteValue(kind), values, positionByName);
    }

    private FieldMisfitException misfit(String found) {
        return new FieldMisfitException(position.path(), position.type(), found);
    }
}
