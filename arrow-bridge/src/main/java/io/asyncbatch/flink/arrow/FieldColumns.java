package io.asyncbatch.flink.arrow;

/**
 * The columns of a composite element's fields, as one. Owned by its writer's or reader's thread.
 */
final class FieldColumns {

    private final FieldConverter[] fields;

    FieldColumns(FieldConverter[] fields) {
        this.fields = fields;
    }

    boolean differInSize() {
        for (FieldConverter field : fields) {
            if (field.differInSize()) {
                return true;
            }
        }
        return false;
    }

    /** What the fields take together, or {@link FieldConverter#UNKNOWN} if that of one is. */
    long plannedBytes(int rows) {
        long sum = 0;
        for (FieldConverter field : fields) {
            long bytes = field.plannedBytes(rows);
            if (bytes == FieldConverter.UNKNOWN) {
                return FieldConverter.UNKNOWN;
            }
            sum += bytes;
        }
        return sum;
    }

    void allocate(int rows) {
        for (FieldConverter field : fields) {
            field.allocate(rows);
        }
    }
}
