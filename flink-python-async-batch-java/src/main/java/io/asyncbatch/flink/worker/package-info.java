/**
 * Batches computed by a Python process: the {@link io.asyncbatch.flink.invoker.BatchInvoker} that
 * starts the worker ({@code process}, {@code control}), sends it batches ({@code channel}) and
 * translates between elements and Arrow. Nothing else of this project depends on it but {@code
 * graph}.
 */
package io.asyncbatch.flink.worker;
