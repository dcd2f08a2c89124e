/**
 * What a row costs in the operator, beside Flink's own operator for single rows. Run by JMH; no
 * cluster, no Python.
 */
package io.asyncbatch.flink.benchmark;
