package io.asyncbatch.flink.batchapi.job;

import io.asyncbatch.flink.operator.queue.Fence;
import java.util.ArrayDeque;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * The rows between two watermarks. Owned by the mailbox thread; only {@link EmissionQueue} looks
 * inside.
 */
@Internal
public final class Segment {

    /** Rows that have come and not left. */
    long rows;

    /** Of these, the ones that may leave once this segment is the first. */
    final ArrayDeque<Departure<?, ?>> ready = new ArrayDeque<>();

    /** What leaves when all rows have; null for the last segment, which still takes rows. */
    @Nullable Fence end;

    /** In the snapshot that is being taken. */
    int savedNumber;

    Segment() {}
}
