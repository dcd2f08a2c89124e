/** The operator's metrics, under the names that the documentation lists. Called by the operator. */
package io.asyncbatch.flink.metrics;
