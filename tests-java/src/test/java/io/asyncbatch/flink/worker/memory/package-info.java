/** Tests of the memory that the JVM shares with a worker. */
package io.asyncbatch.flink.worker.memory;
