package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.proto.UserDefinedAsyncBatchFunction;
import org.apache.flink.api.common.JobID;
import org.apache.flink.configuration.Configuration;

/**
 * What subtasks must have in common to share a worker. Immutable.
 *
 * @param operatorId the operator's, within its job
 * @param function all that the worker is told of it, but for the subtask that starts it
 * @param configuration the job's Python options
 */
record WorkerKey(
        JobID jobId,
        String operatorId,
        UserDefinedAsyncBatchFunction function,
        Configuration configuration,
        WorkerLimits limits) {}
