package io.asyncbatch.flink.arrow;

/**
 * Moves whole elements between Flink's objects and the columns of one record batch. Owned by its
 * writer's or reader's thread.
 */
interface ElementConverter {

    /** Whether {@link #measure} has to see the elements before {@link #allocate}. */
    boolean differInSize();

    /** Counts in an element that will be written; one that does not fit counts nothing. */
    void measure(Object element);

    /**
     * About what {@link #allocate} will take for the measured elements, or {@link
     * FieldConverter#UNKNOWN} if columns grow while they are written.
     */
    long plannedBytes(int rows);

    /** Gives the columns memory for so many elements, and forgets what was measured. */
    void allocate(int rows);

    /** Writes the element at the given row, growing the columns as needed. */
    void writeElement(int row, Object element);

    /** Reads the element at the given row. */
    Object readElement(int row);
}
