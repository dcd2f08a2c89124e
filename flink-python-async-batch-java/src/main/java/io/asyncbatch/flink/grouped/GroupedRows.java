package io.asyncbatch.flink.grouped;

import io.asyncbatch.flink.RowGrouping;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.types.Row;

/**
 * Rows of a weight, a key and an element, as {@code _graph/row_grouping.py} makes them. Stateless.
 */
@Internal
public final class GroupedRows {

    private static final int WEIGHT = 0;
    private static final int KEY = 1;
    private static final int ELEMENT = 2;

    private GroupedRows() {}

    /** The type of the elements in such rows. */
    public static TypeInformation<?> elementType(TypeInformation<?> rows) {
        return ((RowTypeInfo) rows).getTypeAt(ELEMENT);
    }

    /** What stands for itself in such a row. */
    public static Object element(Object row) {
        return ((Row) row).getField(ELEMENT);
    }

    /**
     * @param maxBatchWeight most that a batch's elements may weigh; 0 if that has no bound
     * @param lengthBuckets the most that elements of a bucket weigh; none if there are no buckets
     * @param coalesces whether elements with equal keys are computed once
     */
    public static RowGrouping<Row> grouping(
            long maxBatchWeight, long[] lengthBuckets, boolean coalesces) {
        RowGrouping.Builder<Row> builder = RowGrouping.builder();
        if (maxBatchWeight > 0 || lengthBuckets.length > 0) {
            builder.weigh(
                            row -> (long) row.getField(WEIGHT),
                            maxBatchWeight > 0 ? maxBatchWeight : Long.MAX_VALUE)
                    .lengthBuckets(lengthBuckets);
        }
        if (coalesces) {
            builder.coalesceKey(row -> row.getField(KEY));
        }
        return builder.build();
    }
}
