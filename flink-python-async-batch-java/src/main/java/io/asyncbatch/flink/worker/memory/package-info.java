/** Memory that the JVM and a worker both map, and who uses which part of it. Knows no frames. */
package io.asyncbatch.flink.worker.memory;
