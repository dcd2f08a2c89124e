/**
 * The life of jobs: which step comes next, what a failed one means, and when rows may leave. Used
 * by the operator; knows nothing of HTTP.
 */
package io.asyncbatch.flink.batchapi.job;
