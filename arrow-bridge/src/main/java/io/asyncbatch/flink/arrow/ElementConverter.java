package io.asyncbatch.flink.arrow;

/**
 * Moves whole elements between Flink's objects and the columns of one record batch. Owned by its
 * writer's or reader's thread.
 */
interface ElementConverter {

    /** Writes the element at the given row, growing the columns as needed. */
    void writeElement(int row, Object element);

    /** Reads the element at the given row. */
    Object readElement(int row);
}
