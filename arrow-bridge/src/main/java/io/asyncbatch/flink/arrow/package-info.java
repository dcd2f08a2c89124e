/**
 * Converts batches of Flink elements to Arrow record batches and back: schemas, writer, reader, one
 * {@link io.asyncbatch.flink.arrow.FieldConverter} per type, size estimates and the allocators that
 * own the memory. Depends on nothing else of this project; the job graph builds schemas, the worker
 * packages write and read batches.
 */
package io.asyncbatch.flink.arrow;
