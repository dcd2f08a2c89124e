/** Batches across the calls of an operator that is not ours. */
package io.asyncbatch.flink.table.gather;
