/**
 * Sources' and sinks' parts for the benchmarks' PyFlink jobs, which make them through the gateway.
 * Each does next to nothing for a row, so that the operator between them is what is measured.
 */
package io.asyncbatch.flink.benchmark.stream;
