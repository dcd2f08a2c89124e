/** Tests of what several subtasks share. */
package io.asyncbatch.flink.worker.shared;
