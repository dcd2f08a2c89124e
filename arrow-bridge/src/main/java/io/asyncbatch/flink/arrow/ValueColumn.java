package io.asyncbatch.flink.arrow;

/** The only column of an element that is neither row nor tuple. Owned by its converter's thread. */
final class ValueColumn implements ElementConverter {

    private final FieldConverter column;

    ValueColumn(FieldConverter column) {
        this.column = column;
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
