/**
 * What becomes of a batch, told to Flink's trace reporters as a span, for the batches that are
 * sampled. Called by {@code operator.inflight}, in the mailbox thread.
 */
package io.asyncbatch.flink.operator.trace;
