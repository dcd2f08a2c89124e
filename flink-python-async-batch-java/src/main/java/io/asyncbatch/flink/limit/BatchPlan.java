package io.asyncbatch.flink.limit;

import org.apache.flink.annotation.Internal;

/**
 * How the next batches go.
 *
 * @param rows rows of a batch, from 1 to {@code batch_size}
 * @param concurrency calls in flight, from 1 to the limit
 * @param reachesTarget whether calls are expected to keep the latency target like that
 */
@Internal
public record BatchPlan(int rows, int concurrency, boolean reachesTarget) {}
