/**
 * The seam between the operator and whatever computes a batch. Depends on nothing else of this
 * project; the operator calls it, the worker packages implement it.
 */
package io.asyncbatch.flink.invoker;
