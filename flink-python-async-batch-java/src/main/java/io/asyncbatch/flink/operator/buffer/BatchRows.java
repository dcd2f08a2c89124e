package io.asyncbatch.flink.operator.buffer;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * The rows of one batch, in input order. Grows while the batch is formed and is not changed after.
 * Owned by the mailbox thread until {@link #values} hands the rows out.
 *
 * <p>Rows are kept in arrays, not as records, because this is the only cost each row has here.
 *
 * @param <IN> type of the inputs
 */
@Internal
public final class BatchRows<IN> {

    private static final int FIRST_CAPACITY = 64;

    private Object[] values;
    private int size;
    private long bytes;
    private long weight;
    private final RowTimestamps timestamps;
    private final int mostRows;

    public BatchRows(int mostRows) {
        this.mostRows = mostRows;
        int capacity = Math.min(mostRows, FIRST_CAPACITY);
        values = new Object[capacity];
        timestamps = new RowTimestamps(capacity);
    }

    /** A single row, of a batch that needs no forming. */
    public static <IN> BatchRows<IN> of(IN value, StreamRecord<?> record) {
        BatchRows<IN> rows = new BatchRows<>(1);
        rows.add(value, record, 0, 0);
        return rows;
    }

    /**
     * Adds the value with the timestamp of the record it came in.
     *
     * @param rowBytes by the {@link RowWeigher}
     * @param rowWeight by the user's function
     */
    void add(IN value, StreamRecord<?> record, long rowBytes, long rowWeight) {
        if (size == values.length) {
            values = Arrays.copyOf(values, (int) Math.min(mostRows, size * 2L));
        }
        values[size++] = value;
        timestamps.add(record);
        bytes += rowBytes;
        weight += rowWeight;
    }

    public int size() {
        return size;
    }

    /** What all rows weigh together, by the {@link RowWeigher}. */
    public long bytes() {
        return bytes;
    }

    /** What all rows weigh together, by the user's function; 0 if there is none. */
    public long weight() {
        return weight;
    }

    public RowTimestamps timestamps() {
        return timestamps;
    }

    @SuppressWarnings("unchecked")
    public IN value(int row) {
        return (IN) values[row];
    }

    /** All rows, as a list that nobody can change and that holds no spare room. */
    @SuppressWarnings("unchecked")
    public List<IN> values() {
        if (size < values.length) {
            values = Arrays.copyOf(values, size);
        }
        return (List<IN>) Collections.unmodifiableList(Arrays.asList(values));
    }
}
