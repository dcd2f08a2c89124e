/**
 * What several subtasks of a TaskManager share: started by the first, closed by the last. Knows
 * nothing of Python. Called by the rooms around it.
 */
package io.asyncbatch.flink.worker.shared;
