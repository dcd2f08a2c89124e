package io.asyncbatch.flink.batchapi.operator;

import io.asyncbatch.flink.batchapi.BatchCodec;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.batchapi.client.ApiLimits;
import io.asyncbatch.flink.batchapi.client.BatchApi;
import io.asyncbatch.flink.batchapi.job.BatchJob;
import io.asyncbatch.flink.batchapi.job.EmissionQueue;
import io.asyncbatch.flink.batchapi.job.JobFactory;
import io.asyncbatch.flink.batchapi.job.JobTracker;
import io.asyncbatch.flink.batchapi.job.Messages;
import io.asyncbatch.flink.batchapi.job.RestoredRows;
import io.asyncbatch.flink.batchapi.job.WaitingRow;
import io.asyncbatch.flink.batchapi.state.SavedEntry;
import java.util.List;
import java.util.function.Consumer;
import javax.annotation.Nullable;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Takes rows, and makes jobs of as many as make a batch. Owned by the mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
final class RowIntake<IN, OUT> implements Intake<IN, IN, OUT> {

    private final BatchApi api;
    private final BatchCodec<IN, OUT> codec;
    private final ApiLimits limits;
    private final int mostResubmissions;
    private final JobFactory<IN> jobs;
    private final JobTracker<IN, OUT> tracker;
    private final EmissionQueue<IN, OUT> emission;
    private final Refusal<IN> refusal;
    private final RowBuffer<IN> buffer;
    @Nullable private final TypeSerializer<IN> copier;

    RowIntake(Parts<IN, OUT> parts) {
        this.api = parts.api();
        this.codec = parts.codec();
        this.limits = api.limits();
        BatchInferenceOptions options = parts.options();
        this.mostResubmissions = options.get(BatchInferenceOptions.MAX_RESUBMISSIONS);
        this.jobs = parts.jobs();
        this.tracker = parts.tracker();
        this.emission = parts.emission();
        this.refusal = parts.refusal();
        this.copier = parts.copies() ? parts.rowSerializer() : null;
        this.buffer =
                new RowBuffer<>(
                        Math.min(options.get(BatchInferenceOptions.SIZE), limits.requests()),
                        limits.fileBytes(),
                        options.get(BatchInferenceOptions.FILL_TIME).toMillis(),
                        parts.timeService(),
                        rows -> tracker.submit(jobs.create(rows)));
    }

    @Override
    public void take(StreamRecord<IN> record) throws Exception {
        IN value = record.getValue();
        take(
                new WaitingRow<>(
                        copier == null ? value : copier.copy(value),
                        record.hasTimestamp(),
                        record.hasTimestamp() ? record.getTimestamp() : 0,
                        emission.arrived()));
    }

    private void take(WaitingRow<IN> row) throws Exception {
        long bytes;
        try {
            bytes = api.requestLine(JobFactory.LONGEST_ID, codec.request(row.value())).length;
        } catch (Exception refused) {
            refusal.refuse(row, "request_refused", Messages.forRow(refused));
            return;
        }
        if (bytes > limits.fileBytes()) {
            refusal.refuse(
                    row,
                    "request_too_large",
                    "the request has " + bytes + " bytes, a file at most " + limits.fileBytes());
            return;
        }
        buffer.add(row, bytes);
    }

    @Override
    public void restore(SavedEntry<IN, OUT> entry, RestoredRows<IN, OUT> rows) throws Exception {
        if (entry instanceof SavedEntry.Pending<IN, OUT> pending) {
            take(rows.row(pending.row()));
        } else if (entry instanceof SavedEntry.Job<IN, OUT> job) {
            tracker.restore(jobs.restore(job, rows::row));
        }
    }

    @Override
    public void endInput() throws Exception {
        buffer.close();
        tracker.stopAwaitingCheckpoints();
    }

    @Override
    public void resubmit(BatchJob<IN> job, List<Integer> places) throws Exception {
        tracker.resubmit(jobs.again(job, places));
    }

    @Override
    public int mostResubmissions() {
        return mostResubmissions;
    }

    @Override
    public void save(Consumer<SavedEntry<IN, OUT>> snapshot) {
        for (BatchJob<IN> job : tracker.jobs()) {
            snapshot.accept(jobs.save(job));
        }
        for (WaitingRow<IN> row : buffer.rows()) {
            snapshot.accept(jobs.save(row));
        }
    }

    @Override
    public long nextNumber() {
        return jobs.nextNumber();
    }

    @Override
    public void close() {
        buffer.cancelTimer();
    }
}
