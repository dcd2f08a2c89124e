/**
 * Batches computed by Python: the {@link io.asyncbatch.flink.invoker.BatchInvoker} that starts a
 * worker process ({@code process}, {@code control}) and sends it batches ({@code channel}), the one
 * that enters the Python of this JVM ({@code thread}), and the translation between elements and
 * Arrow. Nothing else of this project depends on it but {@code graph}.
 */
package io.asyncbatch.flink.worker;
