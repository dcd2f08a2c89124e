/**
 * What computes the batches of a model of SQL, made of the model's options and schema: rows as it
 * wants them, and its invoker. Called by the planner's thread.
 */
package io.asyncbatch.flink.table.backend;
