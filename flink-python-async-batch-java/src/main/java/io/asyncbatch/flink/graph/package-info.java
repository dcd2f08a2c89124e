/**
 * Turns API calls into transformations of the job graph. What is wrong with a call is refused here,
 * before a job starts. Called by the Python package through Py4J.
 */
package io.asyncbatch.flink.graph;
