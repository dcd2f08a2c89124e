package io.asyncbatch.flink.operator.buffer;

import java.util.Arrays;
import java.util.BitSet;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * The event timestamps of a batch's rows, some of which may have none. Owned by the mailbox thread.
 */
@Internal
public final class RowTimestamps {

    private long[] timestamps;
    private int size;

    /** Rows without a timestamp; null as long as there are none, which is the usual case. */
    private BitSet missing;

    public RowTimestamps(int expectedRows) {
        timestamps = new long[expectedRows];
    }

    public void add(StreamRecord<?> record) {
        if (record.hasTimestamp()) {
            add(record.getTimestamp());
        } else {
            addMissing();
        }
    }

    public void add(long timestamp) {
        if (size == timestamps.length) {
            timestamps = Arrays.copyOf(timestamps, Math.max(size + 1, size * 2));
        }
        timestamps[size++] = timestamp;
    }

    public void addMissing() {
        if (missing == null) {
            missing = new BitSet();
        }
        missing.set(size);
        add(0L);
    }

    public boolean isPresent(int row) {
        return missing == null || !missing.get(row);
    }

    /** The timestamp of a row that has one; otherwise meaningless. */
    public long get(int row) {
        return timestamps[row];
    }
}
