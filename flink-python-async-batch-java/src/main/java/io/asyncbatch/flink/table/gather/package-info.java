/**
 * Batches across the calls of an operator that is not ours: rows come one by one, each with a
 * future, and what forms, invokes and follows batches is what our own operator is made of. Called
 * by the functions of {@code table}.
 */
package io.asyncbatch.flink.table.gather;
