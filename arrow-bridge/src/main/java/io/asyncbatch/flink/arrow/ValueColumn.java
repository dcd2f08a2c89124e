package io.asyncbatch.flink.arrow;

/** The only column of an element that is neither row nor tuple. Owned by its converter's thread. */
final class ValueColumn implements ElementConverter {

    private final FieldConverter column;

    ValueColumn(FieldConverter column) {
        this.column = column;
    }

    @Override
    public boolean differInSize() {
        return column.differInSize();
    }

    @Override
    public void measure(Object element) {
        column.measure(element);
    }

    @Override
    public long plannedBytes(int rows) {
        return column.plannedBytes(rows);
    }

    @Override
    public void allocate(int rows) {
        column.allocate(rows);
    }

    @Override
    public void writeElement(int row, Object element) {
        column.write(row, element);
    }

    @Override
    public Object readElement(int row) {
        return column.read(row);
    }
}
