/**
 * The worker as an operating system process: start, output, exit status, and an end that leaves
 * nothing behind. Knows neither Beam nor batches; called by {@code control} and the invoker.
 */
package io.asyncbatch.flink.worker.process;
