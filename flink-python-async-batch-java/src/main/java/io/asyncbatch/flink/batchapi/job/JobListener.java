package io.asyncbatch.flink.batchapi.job;

import org.apache.flink.annotation.Internal;

/**
 * Takes note of jobs that are done with. Called in the mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public interface JobListener<IN, OUT> {

    /**
     * A job ended, well or not; its rows are the listener's again.
     *
     * @param restCode why rows that no file says anything about have no result
     */
    void onFinished(BatchJob<IN> job, JobResults<OUT> results, String restCode) throws Exception;

    /** The API has a job, and somebody else waits for its results. Its rows are the listener's. */
    void onCreated(BatchJob<IN> job) throws Exception;

    /** Nothing can go on. */
    void onFailure(Exception failure) throws Exception;
}
