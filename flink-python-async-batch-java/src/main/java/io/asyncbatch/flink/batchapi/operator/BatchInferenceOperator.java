package io.asyncbatch.flink.batchapi.operator;

import io.asyncbatch.flink.batchapi.BatchCodec;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions.OnFailure;
import io.asyncbatch.flink.batchapi.FailedRow;
import io.asyncbatch.flink.batchapi.client.ApiLimits;
import io.asyncbatch.flink.batchapi.client.BatchApi;
import io.asyncbatch.flink.batchapi.client.BatchApiFactory;
import io.asyncbatch.flink.batchapi.files.BatchDirectory;
import io.asyncbatch.flink.batchapi.job.BatchJob;
import io.asyncbatch.flink.batchapi.job.BatchJobMetrics;
import io.asyncbatch.flink.batchapi.job.EmissionQueue;
import io.asyncbatch.flink.batchapi.job.JobFactory;
import io.asyncbatch.flink.batchapi.job.JobFiles;
import io.asyncbatch.flink.batchapi.job.JobListener;
import io.asyncbatch.flink.batchapi.job.JobResults;
import io.asyncbatch.flink.batchapi.job.JobTracker;
import io.asyncbatch.flink.batchapi.job.Messages;
import io.asyncbatch.flink.batchapi.job.RestoredRows;
import io.asyncbatch.flink.batchapi.job.RowOutcomes;
import io.asyncbatch.flink.batchapi.job.WaitingRow;
import io.asyncbatch.flink.batchapi.state.SavedEntries;
import io.asyncbatch.flink.batchapi.state.SavedEntry;
import io.asyncbatch.flink.batchapi.state.SavedEntrySerializer;
import io.asyncbatch.flink.operator.emission.EmittingOperator;
import io.asyncbatch.flink.operator.inflight.InputHold;
import io.asyncbatch.flink.operator.queue.Fence;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.runtime.execution.Environment;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.operators.TimestampedCollector;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.RecordAttributes;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.util.InstantiationUtil;
import org.apache.flink.util.OutputTag;

/**
 * Sends rows through a Batch API and lets the results leave, each once. Lives in the task's mailbox
 * thread; this class only wires the parts and follows Flink's lifecycle.
 *
 * <p>A row goes through {@link RowBuffer} (which batch), {@link JobTracker} (how far its job is)
 * and {@link EmissionQueue} (when the result leaves). Until it leaves it is in the snapshot: alone,
 * in its job, or as its result. So a barrier never waits for a job.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class BatchInferenceOperator<IN, OUT> extends EmittingOperator<OUT>
        implements OneInputStreamOperator<IN, OUT>, BoundedOneInput, JobListener<IN, OUT> {

    private static final long serialVersionUID = 1L;

    private final transient MailboxExecutor mailbox;
    private final transient BatchInferenceOptions options;
    private final transient BatchApiFactory apiFactory;
    private final transient BatchCodec<IN, OUT> codec;
    private final transient BatchInferenceOperatorFactory.IoThreadFactory ioThreads;
    private final transient TypeSerializer<IN> inputSerializer;
    private final transient TypeSerializer<OUT> outputSerializer;
    private final transient EmissionQueue<IN, OUT> emission;
    private final transient TimestampedCollector<OUT> collector;

    private transient SavedEntries<IN, OUT> savedEntries;
    private transient boolean restarted;
    @Nullable private transient BatchDirectory directory;
    @Nullable private transient BatchApi api;
    @Nullable private transient ExecutorService ioThread;
    @Nullable private transient JobTracker<IN, OUT> tracker;
    @Nullable private transient RowBuffer<IN> buffer;
    private transient JobFactory<IN> jobFactory;
    private transient BatchJobMetrics metrics;
    private transient InputHold hold;
    private transient ApiLimits limits;
    private transient boolean copiesInputs;

    BatchInferenceOperator(
            StreamOperatorParameters<OUT> parameters,
            MailboxExecutor mailbox,
            BatchInferenceOptions options,
            BatchApiFactory apiFactory,
            BatchCodec<IN, OUT> codec,
            OutputTag<FailedRow<IN>> failures,
            BatchInferenceOperatorFactory.IoThreadFactory ioThreads,
            TypeSerializer<OUT> outputSerializer) {
        super(parameters, mailbox);
        this.mailbox = mailbox;
        this.options = options;
        this.apiFactory = apiFactory;
        this.codec = codec;
        this.ioThreads = ioThreads;
        this.inputSerializer = getOperatorConfig().getTypeSerializerIn(0, getUserCodeClassloader());
        this.outputSerializer = outputSerializer;
        this.emission = new EmissionQueue<>(failures);
        this.collector = new TimestampedCollector<>(output);
    }

    // ------------------------------------------------------------- lifecycle

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        TaskInfo task = getRuntimeContext().getTaskInfo();
        restarted = context.isRestored() || task.getAttemptNumber() > 0;
        savedEntries =
                new SavedEntries<>(
                        context.getOperatorStateStore(),
                        new SavedEntrySerializer<>(inputSerializer, outputSerializer),
                        task.getIndexOfThisSubtask(),
                        task.getNumberOfParallelSubtasks());
    }

    @Override
    public void open() throws Exception {
        super.open();
        copiesInputs = getExecutionConfig().isObjectReuseEnabled();
        Environment environment = getContainingTask().getEnvironment();
        TaskInfo task = getRuntimeContext().getTaskInfo();
        api = apiFactory.create(environment.getTaskManagerInfo().getConfiguration());
        limits = api.limits();
        directory = BatchDirectory.open(Path.of(options.get(BatchInferenceOptions.LOCAL_DIR)));
        ioThread = ioThreads.create("batch-api-files-" + task.getTaskNameWithSubtasks());
        metrics = new BatchJobMetrics(getMetricGroup(), this::jobsInFlight);
        tracker =
                new JobTracker<>(
                        api,
                        new JobFiles<>(
                                directory,
                                api,
                                InstantiationUtil.clone(codec, getUserCodeClassloader()),
                                ioThread),
                        options,
                        getProcessingTimeService(),
                        mailbox,
                        metrics,
                        this,
                        new SplittableRandom(ThreadLocalRandom.current().nextLong()),
                        options.get(BatchInferenceOptions.SUBMIT_AFTER_CHECKPOINT)
                                && CheckpointingOptions.isCheckpointingEnabled(
                                        environment.getJobConfiguration()),
                        restarted);
        buffer =
                new RowBuffer<>(
                        Math.min(options.get(BatchInferenceOptions.SIZE), limits.requests()),
                        limits.fileBytes(),
                        options.get(BatchInferenceOptions.FILL_TIME).toMillis(),
                        getProcessingTimeService(),
                        rows -> tracker.submit(jobFactory.create(rows)));
        hold =
                new InputHold(
                        tracker::hasWaiting,
                        mailbox,
                        getProcessingTimeService(),
                        metrics::inputHeld,
                        // Jobs may take a day, and no barrier shall wait for one.
                        Integer.MAX_VALUE,
                        Long.MAX_VALUE);
        List<SavedEntry<IN, OUT>> entries = savedEntries.restored();
        jobFactory =
                new JobFactory<>(
                        options.get(BatchInferenceOptions.BATCH_NUMBER),
                        environment.getJobID(),
                        getOperatorID(),
                        task.getIndexOfThisSubtask(),
                        inputSerializer,
                        getProcessingTimeService(),
                        savedEntries.nextNumber());
        restore(entries);
        savedEntries.clear();
    }

    @Override
    public void endInput() throws Exception {
        rethrowFailure();
        buffer.close();
        tracker.stopAwaitingCheckpoints();
        while (!holdsNothing()) {
            mailbox.yield();
        }
    }

    /** Whether everything that came has left. */
    boolean holdsNothing() {
        return emission.isEmpty();
    }

    @Override
    public void close() throws Exception {
        if (buffer != null) {
            buffer.cancelTimer();
        }
        if (tracker != null) {
            tracker.close();
        }
        if (api != null) {
            api.close();
        }
        if (ioThread != null) {
            ioThread.shutdownNow();
        }
        try {
            if (directory != null) {
                directory.close();
                directory = null;
            }
        } catch (IOException e) {
            // A task that failed and throws once more ends its TaskManager.
            LOG.warn("Could not remove the files of batches: {}", e.toString());
        } finally {
            super.close();
        }
    }

    // ----------------------------------------------------------------- input

    @Override
    public void processElement(StreamRecord<IN> record) throws Exception {
        rethrowFailure();
        IN value = record.getValue();
        take(
                new WaitingRow<>(
                        copiesInputs ? inputSerializer.copy(value) : value,
                        record.hasTimestamp(),
                        record.hasTimestamp() ? record.getTimestamp() : 0,
                        emission.arrived()));
        // The row is in the snapshot from here on; only the next one has to wait.
        hold.awaitNextRow(0);
    }

    private void take(WaitingRow<IN> row) throws Exception {
        long bytes;
        try {
            bytes = api.requestLine(JobFactory.LONGEST_ID, codec.request(row.value())).length;
        } catch (Exception refused) {
            giveUp(row, "request_refused", Messages.forRow(refused), 0);
            emit();
            return;
        }
        if (bytes > limits.fileBytes()) {
            giveUp(
                    row,
                    "request_too_large",
                    "the request has " + bytes + " bytes, a file at most " + limits.fileBytes(),
                    0);
            emit();
            return;
        }
        buffer.add(row, bytes);
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        fence(fence -> fence.add(mark));
    }

    /** In its place among the rows, since idleness that overtakes them makes them late. */
    @Override
    public void processWatermarkStatus(WatermarkStatus status) throws Exception {
        fence(fence -> fence.add(status));
    }

    @Override
    public void processRecordAttributes(RecordAttributes attributes) throws Exception {
        fence(fence -> fence.add(attributes));
    }

    private void fence(Consumer<Fence> content) throws Exception {
        rethrowFailure();
        emission.fence(content);
        emit();
    }

    // ---------------------------------------------------------------- output

    @Override
    public void onFinished(BatchJob<IN> job, JobResults<OUT> results, String restCode)
            throws Exception {
        RowOutcomes<IN, OUT> outcomes =
                RowOutcomes.of(
                        job,
                        results,
                        restCode,
                        options.get(BatchInferenceOptions.MAX_RESUBMISSIONS));
        for (RowOutcomes.Success<IN, OUT> success : outcomes.successes()) {
            emission.ready(success.row().segment(), success.row().with(success.result()));
        }
        for (RowOutcomes.Failure<IN> failed : outcomes.failures()) {
            giveUp(failed.row(), failed.code(), failed.message(), failed.attempts());
        }
        if (!outcomes.again().isEmpty()) {
            metrics.rowsResubmitted(outcomes.again().size());
            tracker.resubmit(jobFactory.again(job, outcomes.again()));
        }
        emit();
    }

    private void giveUp(WaitingRow<IN> row, String code, String message, int attempts)
            throws Exception {
        if (options.get(BatchInferenceOptions.ON_FAILURE) == OnFailure.FAIL) {
            onFailure(
                    new IllegalStateException(
                            "A row has no result after "
                                    + attempts
                                    + (attempts == 1 ? " submission: " : " submissions: ")
                                    + code
                                    + "; "
                                    + BatchInferenceOptions.ON_FAILURE.key()
                                    + " SIDE_OUTPUT would put such rows aside"));
        }
        metrics.rowFailed();
        emission.ready(row.segment(), row.failed(code, message, attempts));
    }

    @Override
    public void onFailure(Exception jobFailure) throws Exception {
        fail(jobFailure);
    }

    @Override
    protected boolean canEmit() {
        return emission.canEmit();
    }

    @Override
    protected void emitUpTo(int most) {
        emission.emit(most, collector);
    }

    // ----------------------------------------------------------------- state

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        super.snapshotState(context);
        rethrowFailure();
        List<SavedEntry<IN, OUT>> entries = new ArrayList<>();
        emission.save(entries::add);
        for (BatchJob<IN> job : tracker.jobs()) {
            entries.add(jobFactory.save(job));
        }
        for (WaitingRow<IN> row : buffer.rows()) {
            entries.add(jobFactory.save(row));
        }
        savedEntries.update(entries, jobFactory.nextNumber());
        tracker.onSnapshot(context.getCheckpointId());
    }

    @Override
    protected void forgetSaved() {
        savedEntries.clear();
    }

    @Override
    public void notifyCheckpointComplete(long checkpointId) throws Exception {
        super.notifyCheckpointComplete(checkpointId);
        tracker.onCheckpointComplete(checkpointId);
    }

    /** Takes what a snapshot held without ever waiting, since no mail runs before the task does. */
    private void restore(List<SavedEntry<IN, OUT>> entries) throws Exception {
        List<SavedEntry.Mark<IN, OUT>> marks = new ArrayList<>();
        for (SavedEntry<IN, OUT> entry : entries) {
            if (entry instanceof SavedEntry.Mark<IN, OUT> mark) {
                marks.add(mark);
            }
        }
        RestoredRows<IN, OUT> restored = new RestoredRows<>(emission, marks);
        // A watermark stays until all rows before it are back.
        holdEmission();
        for (SavedEntry<IN, OUT> entry : entries) {
            if (entry instanceof SavedEntry.Pending<IN, OUT> pending) {
                take(restored.row(pending.row()));
            } else if (entry instanceof SavedEntry.Job<IN, OUT> job) {
                tracker.restore(jobFactory.restore(job, restored::row));
            } else {
                restored.ready(entry);
            }
        }
        beginEmission();
    }

    private int jobsInFlight() {
        return tracker == null ? 0 : tracker.inFlight();
    }
}
