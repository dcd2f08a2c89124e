package io.asyncbatch.flink.arrow;

import org.apache.flink.api.java.tuple.Tuple;

/**
 * The fields of a tuple, as columns of a batch or as members of a struct. Owned by its writer's or
 * reader's thread.
 */
final class TupleFields implements ElementConverter {

    private final FieldPosition position;
    private final FieldConverter[] fields;
    private final FieldColumns columns;

    TupleFields(FieldPosition position, FieldConverter[] fields) {
        this.position = position;
        this.fields = fields;
        this.columns = new FieldColumns(fields);
    }

    @Override
    public boolean differInSize() {
        return columns.differInSize();
    }

    @Override
    public void measure(Object element) {
        if (element instanceof Tuple tuple && tuple.getArity() == fields.length) {
            for (int i = 0; i < fields.length; i++) {
                fields[i].measure(tuple.getField(i));
            }
        }
    }

    @Override
    public long plannedBytes(int rows) {
        return columns.plannedBytes(rows);
    }

    @Override
    public void allocate(int rows) {
        columns.allocate(rows);
    }

    @Override
    public void writeElement(int row, Object element) {
        if (!(element instanceof Tuple tuple)) {
            throw misfit(element == null ? "null" : element.getClass().getName());
        }
        if (tuple.getArity() != fields.length) {
            throw misfit("a tuple of " + tuple.getArity() + " fields");
        }
        for (int i = 0; i < fields.length; i++) {
            fields[i].write(row, tuple.getField(i));
        }
    }

    @Override
    public Object readElement(int row) {
        Tuple tuple = Tuple.newInstance(fields.length);
        for (int i = 0; i < fields.length; i++) {
            tuple.setField(fields[i].read(row), i);
        }
        return tuple;
    }

    private FieldMisfitException misfit(String found) {
        return new FieldMisfitException(position.path(), position.type(), found);
    }
}
