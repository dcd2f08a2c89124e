package io.asyncbatch.flink.batchapi.operator;

import io.asyncbatch.flink.batchapi.BatchCodec;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.batchapi.client.BatchApi;
import io.asyncbatch.flink.batchapi.job.BatchJob;
import io.asyncbatch.flink.batchapi.job.EmissionQueue;
import io.asyncbatch.flink.batchapi.job.JobFactory;
import io.asyncbatch.flink.batchapi.job.JobTracker;
import io.asyncbatch.flink.batchapi.job.RestoredRows;
import io.asyncbatch.flink.batchapi.job.WaitingRow;
import io.asyncbatch.flink.batchapi.state.SavedEntry;
import java.util.List;
import java.util.function.Consumer;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;

/**
 * Makes jobs of what comes in. Owned by the mailbox thread.
 *
 * @param <E> type of what comes in
 * @param <IN> type of the rows that jobs are made of
 * @param <OUT> type of the outputs
 */
interface Intake<E, IN, OUT> {

    /** Takes what came; it is in the snapshot from here on. */
    void take(StreamRecord<E> element) throws Exception;

    /** Takes what a snapshot held, without ever waiting. */
    void restore(SavedEntry<IN, OUT> entry, RestoredRows<IN, OUT> rows) throws Exception;

    /** Nothing comes any more. */
    void endInput() throws Exception;

    /** Submits rows of a job once more. */
    void resubmit(BatchJob<IN> job, List<Integer> places) throws Exception;

    /** How often a row is submitted after the first time. */
    int mostResubmissions();

    /** Saves what has come and is not ready to leave. */
    void save(Consumer<SavedEntry<IN, OUT>> snapshot);

    /** Of the batch that is made next. */
    long nextNumber();

    /** Lets go of timers. */
    void close();

    /** What to do with a row that no job can be made of. */
    @FunctionalInterface
    interface Refusal<IN> {
        void refuse(WaitingRow<IN> row, String code, String message) throws Exception;
    }

    /**
     * The operator's parts that an intake works with.
     *
     * @param codec of the mailbox thread
     * @param copies whether upstream may change what it handed over
     */
    record Parts<IN, OUT>(
            BatchApi api,
            BatchCodec<IN, OUT> codec,
            BatchInferenceOptions options,
            TypeSerializer<IN> rowSerializer,
            boolean copies,
            JobFactory<IN> jobs,
            JobTracker<IN, OUT> tracker,
            EmissionQueue<IN, OUT> emission,
            ProcessingTimeService timeService,
            Refusal<IN> refusal) {}
}
