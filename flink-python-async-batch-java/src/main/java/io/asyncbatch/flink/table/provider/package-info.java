/**
 * Models for {@code ML_PREDICT} whose rows are computed in batches: the provider {@code
 * 'async-batch'}, found by the planner through {@code META-INF/services}, and the function that
 * Flink's operator calls for each row.
 */
package io.asyncbatch.flink.table.provider;
