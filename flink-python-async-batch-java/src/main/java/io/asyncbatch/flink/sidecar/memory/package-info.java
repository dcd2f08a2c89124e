/**
 * POSIX shared memory that a model server on this machine maps too, and who uses which part of it.
 * Called by the sidecar's client, from any thread.
 */
package io.asyncbatch.flink.sidecar.memory;
