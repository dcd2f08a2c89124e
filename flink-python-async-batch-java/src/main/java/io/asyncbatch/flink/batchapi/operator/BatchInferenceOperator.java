package io.asyncbatch.flink.batchapi.operator;

import io.asyncbatch.flink.batchapi.BatchCodec;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions.OnFailure;
import io.asyncbatch.flink.batchapi.client.BatchApiFactory;
import io.asyncbatch.flink.batchapi.job.BatchJob;
import io.asyncbatch.flink.batchapi.job.BatchJobMetrics;
import io.asyncbatch.flink.batchapi.job.EmissionQueue;
import io.asyncbatch.flink.batchapi.job.JobFactory;
import io.asyncbatch.flink.batchapi.job.JobListener;
import io.asyncbatch.flink.batchapi.job.JobResults;
import io.asyncbatch.flink.batchapi.job.JobTracker;
import io.asyncbatch.flink.batchapi.job.RestoredRows;
import io.asyncbatch.flink.batchapi.job.RowOutcomes;
import io.asyncbatch.flink.batchapi.job.WaitingRow;
import io.asyncbatch.flink.batchapi.state.SavedEntries;
import io.asyncbatch.flink.batchapi.state.SavedEntry;
import io.asyncbatch.flink.batchapi.state.SavedEntrySerializer;
import io.asyncbatch.flink.operator.emission.EmittingOperator;
import io.asyncbatch.flink.operator.inflight.InputHold;
import io.asyncbatch.flink.operator.queue.Fence;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
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

/**
 * Sends rows through a Batch API and lets the results leave, each once; or does a {@link Role part}
 * of that. Lives in the task's mailbox thread; this class only wires the parts and follows Flink's
 * lifecycle.
 *
 * <p>A row goes through {@link Intake} (which job), {@link JobTracker} (how far its job is) and
 * {@link EmissionQueue} (when the result leaves). Until it leaves it is in the snapshot: alone, in
 * its job, or as its result. So a barrier never waits for a job.
 *
 * @param <E> type of what comes in
 * @param <IN> type of the rows that jobs are made of
 * @param <OUT> type of the outputs
 */
@Internal
public final class BatchInferenceOperator<E, IN, OUT> extends EmittingOperator<OUT>
        implements OneInputStreamOperator<E, OUT>, BoundedOneInput, JobListener<IN, OUT> {

    private static final long serialVersionUID = 1L;

    private final transient MailboxExecutor mailbox;
    private final transient BatchInferenceOptions options;
    private final transient BatchApiFactory apiFactory;
    private final transient Role<E, IN, OUT> role;
    private final transient BatchInferenceOperatorFactory.IoThreadFactory ioThreads;
    private final transient TypeSerializer<IN> rowSerializer;
    private final transient TypeSerializer<OUT> outputSerializer;
    private final transient EmissionQueue<IN, OUT> emission;
    private final transient TimestampedCollector<OUT> collector;

    private transient SavedEntries<IN, OUT> savedEntries;
    private transient boolean restarted;
    @Nullable private transient ApiAccess access;
    @Nullable private transient JobTracker<IN, OUT> tracker;
    @Nullable private transient Intake<E, IN, OUT> intake;
    private transient BatchJobMetrics metrics;
    private transient InputHold hold;

    BatchInferenceOperator(
            StreamOperatorParameters<OUT> parameters,
            MailboxExecutor mailbox,
            BatchInferenceOptions options,
            BatchApiFactory apiFactory,
            Role<E, IN, OUT> role,
            BatchInferenceOperatorFactory.IoThreadFactory ioThreads,
            TypeSerializer<OUT> outputSerializer) {
        super(parameters, mailbox);
        this.mailbox = mailbox;
        this.options = options;
        this.apiFactory = apiFactory;
        this.role = role;
        this.ioThreads = ioThreads;
        this.rowSerializer =
                role.rowSerializer(
                        getOperatorConfig().getTypeSerializerIn(0, getUserCodeClassloader()),
                        getExecutionConfig());
        this.outputSerializer = outputSerializer;
        this.emission = new EmissionQueue<>(role.sideOutputs());
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
                        new SavedEntrySerializer<>(rowSerializer, outputSerializer),
                        task.getIndexOfThisSubtask(),
                        task.getNumberOfParallelSubtasks());
    }

    @Override
    public void open() throws Exception {
        super.open();
        Environment environment = getContainingTask().getEnvironment();
        TaskInfo task = getRuntimeContext().getTaskInfo();
        access =
                ApiAccess.open(
                        apiFactory.create(environment.getTaskManagerInfo().getConfiguration()),
                        Path.of(options.get(BatchInferenceOptions.LOCAL_DIR)),
                        ioThreads,
                        task.getTaskNameWithSubtasks());
        metrics = new BatchJobMetrics(getMetricGroup(), this::jobsInFlight);
        BatchCodec<IN, OUT> codec = role.codec();
        tracker =
                new JobTracker<>(
                        access.api(),
                        access.files(InstantiationUtil.clone(codec, getUserCodeClassloader())),
                        options,
                        getProcessingTimeService(),
                        mailbox,
                        metrics,
                        this,
                        new SplittableRandom(ThreadLocalRandom.current().nextLong()),
                        new JobTracker.Course(
                                options.get(BatchInferenceOptions.SUBMIT_AFTER_CHECKPOINT)
                                        && CheckpointingOptions.isCheckpointingEnabled(
                                                environment.getJobConfiguration()),
                                restarted,
                                role.endsOnCreation()));
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
        intake =
                role.intake(
                        new Intake.Parts<>(
                                access.api(),
                                codec,
                                options,
                                rowSerializer,
                                getExecutionConfig().isObjectReuseEnabled(),
                                new JobFactory<>(
                                        options.get(BatchInferenceOptions.BATCH_NUMBER),
                                        environment.getJobID(),
                                        getOperatorID(),
                                        task.getIndexOfThisSubtask(),
                                        rowSerializer,
                                        getProcessingTimeService(),
                                        savedEntries.nextNumber()),
                                tracker,
                                emission,
                                getProcessingTimeService(),
                                this::refuse));
        restore(entries);
        savedEntries.clear();
    }

    @Override
    public void endInput() throws Exception {
        rethrowFailure();
        intake.endInput();
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
        if (intake != null) {
            intake.close();
        }
        if (tracker != null) {
            tracker.close();
        }
        try {
            if (access != null) {
                access.close();
                access = null;
            }
        } finally {
            super.close();
        }
    }

    // ----------------------------------------------------------------- input

    @Override
    public void processElement(StreamRecord<E> element) throws Exception {
        rethrowFailure();
        intake.take(element);
        // It is in the snapshot from here on; only the next one has to wait.
        hold.awaitNextRow(0);
    }

    private void refuse(WaitingRow<IN> row, String code, String message) throws Exception {
        giveUp(row, code, message, 0);
        emit();
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
                RowOutcomes.of(job, results, restCode, intake.mostResubmissions());
        for (RowOutcomes.Success<IN, OUT> success : outcomes.successes()) {
            emission.ready(success.row().segment(), success.row().with(success.result()));
        }
        for (RowOutcomes.Failure<IN> failed : outcomes.failures()) {
            giveUp(failed.row(), failed.code(), failed.message(), failed.attempts());
        }
        if (!outcomes.again().isEmpty()) {
            metrics.rowsResubmitted(outcomes.again().size());
            intake.resubmit(job, outcomes.again());
        }
        emit();
    }

    @Override
    public void onCreated(BatchJob<IN> job) throws Exception {
        Instant now = Instant.ofEpochMilli(getProcessingTimeService().getCurrentProcessingTime());
        emission.created(job, role.announcement(job, now));
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
        intake.save(entries::add);
        savedEntries.update(entries, intake.nextNumber());
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
            intake.restore(entry, restored);
            restored.ready(entry);
        }
        beginEmission();
    }

    private int jobsInFlight() {
        return tracker == null ? 0 : tracker.inFlight();
    }
}
