/**
 * The batching operator: lifecycle and wiring. Its parts live in {@code buffer} (forming batches),
 * {@code inflight} (one batch's life), {@code queue} (result order) and {@code state} (snapshots).
 */
package io.asyncbatch.flink.operator;
