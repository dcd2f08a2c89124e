/**
 * A model server whose model answers with a number for each row and looks at nothing, so that its
 * clients are the limit of what a benchmark measures. Speaks the Open Inference Protocol.
 */
package io.asyncbatch.flink.benchmark.server;
