package io.asyncbatch.flink.metrics;

import org.apache.flink.annotation.Internal;

/**
 * What holds slots at one moment. Immutable, so that all three belong together for who reads them
 * from another thread.
 *
 * @param batches batches that are invoked or await emission
 * @param rows the rows of these batches, also those that have left
 * @param bytes what these rows weigh
 */
@Internal
public record InflightLoad(int batches, long rows, long bytes) {

    public static final InflightLoad NONE = new InflightLoad(0, 0, 0);

    public InflightLoad plus(int batchRows, long batchBytes) {
        return new InflightLoad(batches + 1, rows + batchRows, bytes + batchBytes);
    }

    public InflightLoad minus(int batchRows, long batchBytes) {
        return new InflightLoad(batches - 1, rows - batchRows, bytes - batchBytes);
    }
}
