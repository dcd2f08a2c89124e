package io.asyncbatch.flink.batchapi.state;

import java.io.Serializable;
import org.apache.flink.annotation.Internal;

/**
 * A row that has no result yet. Immutable.
 *
 * @param value as it came in
 * @param hasTimestamp whether it came with a timestamp
 * @param timestamp that timestamp, else 0
 * @param segment how many watermarks that are held back stand before it
 * @param <IN> type of the inputs
 */
@Internal
public record SavedRow<IN>(IN value, boolean hasTimestamp, long timestamp, int segment)
        implements Serializable {}
