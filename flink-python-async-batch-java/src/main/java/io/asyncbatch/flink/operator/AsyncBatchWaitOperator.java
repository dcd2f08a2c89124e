package io.asyncbatch.flink.operator;

import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.RowGrouping;
import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchInvokerFactory;
import io.asyncbatch.flink.invoker.TaskInvokerContext;
import io.asyncbatch.flink.metrics.BatchMetrics;
import io.asyncbatch.flink.metrics.InflightLoad;
import io.asyncbatch.flink.operator.buffer.BatchWeights;
import io.asyncbatch.flink.operator.buffer.CloseReason;
import io.asyncbatch.flink.operator.buffer.LearnedLimit;
import io.asyncbatch.flink.operator.buffer.RowWeigher;
import io.asyncbatch.flink.operator.emission.EmittingOperator;
import io.asyncbatch.flink.operator.flow.FlowContext;
import io.asyncbatch.flink.operator.flow.RowFlow;
import io.asyncbatch.flink.operator.flow.RunFlow;
import io.asyncbatch.flink.operator.flow.SeatFlow;
import io.asyncbatch.flink.operator.inflight.BackendAdmission;
import io.asyncbatch.flink.operator.inflight.BackendLease;
import io.asyncbatch.flink.operator.inflight.Batch;
import io.asyncbatch.flink.operator.inflight.BatchDispatcher;
import io.asyncbatch.flink.operator.inflight.BatchListener;
import io.asyncbatch.flink.operator.inflight.CallAdmission;
import io.asyncbatch.flink.operator.inflight.InputHold;
import io.asyncbatch.flink.operator.inflight.RowOutput;
import io.asyncbatch.flink.operator.state.SavedElement;
import io.asyncbatch.flink.operator.state.SavedElementSerializer;
import io.asyncbatch.flink.operator.state.SavedElements;
import io.asyncbatch.flink.operator.trace.BatchTraces;
import io.asyncbatch.flink.operator.trace.TraceSampling;
import java.util.ArrayList;
import java.util.List;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.api.common.typeutils.TypeSerializer;
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
import org.apache.flink.types.Row;
import org.apache.flink.util.OutputTag;

/**
 * Groups rows into batches, has each computed by a {@link BatchInvoker}, and lets the results leave
 * as single rows again. Lives in the task's mailbox thread; this class only wires the parts and
 * follows Flink's lifecycle.
 *
 * <p>A row goes through a {@link RowFlow} (which batch, and when the result leaves); {@link
 * BatchDispatcher} says when and how the batch is invoked. Until it leaves it is in the snapshot,
 * as an input or as its result, so a barrier never waits for an invocation.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class AsyncBatchWaitOperator<IN, OUT> extends EmittingOperator<OUT>
        implements OneInputStreamOperator<IN, OUT>, BoundedOneInput, BatchListener<IN, OUT> {

    private static final long serialVersionUID = 1L;

    private final transient MailboxExecutor mailbox;
    private final transient BatchSettings settings;
    private final transient BatchInvokerFactory<IN, OUT> invokerFactory;
    private final transient RowWeigher<IN> weigher;
    private final transient RowGrouping<IN> grouping;
    private final transient TypeSerializer<IN> inputSerializer;
    private final transient TypeSerializer<OUT> outputSerializer;
    private final transient RowOutput<OUT> rowOutput;
    private final transient LearnedLimit limit;
    private final transient TaskInvokerContext invokerContext;

    private transient SavedElements<IN, OUT> savedElements;
    @Nullable private transient BatchInvoker<IN, OUT> invoker;
    private transient BatchMetrics metrics;
    @Nullable private transient BatchDispatcher<IN, OUT> dispatcher;
    @Nullable private transient RowFlow<IN, OUT> flow;
    private transient InputHold hold;
    private transient boolean copiesInputs;
    private transient boolean finished;

    AsyncBatchWaitOperator(
            StreamOperatorParameters<OUT> parameters,
            MailboxExecutor mailbox,
            BatchSettings settings,
            BatchInvokerFactory<IN, OUT> invokerFactory,
            RowWeigher<IN> weigher,
            RowGrouping<IN> grouping,
            TypeSerializer<OUT> outputSerializer,
            @Nullable OutputTag<Row> deadLetters,
            RowOutput.LetterInput letterInput) {
        super(parameters, mailbox);
        this.mailbox = mailbox;
        this.settings = settings;
        this.invokerFactory = invokerFactory;
        this.weigher = weigher;
        this.grouping = grouping;
        this.inputSerializer = getOperatorConfig().getTypeSerializerIn(0, getUserCodeClassloader());
        this.outputSerializer = outputSerializer;
        this.rowOutput =
                new RowOutput<>(
                        new TimestampedCollector<>(output),
                        settings.failureHandling().onFailure() == OnFailure.DEAD_LETTER
                                ? deadLetters
                                : null,
                        letterInput);
        this.limit = new LearnedLimit(settings.batchSize(), settings.maxBatchBytes());
        this.invokerContext =
                new TaskInvokerContext(getRuntimeContext(), getContainingTask().getEnvironment());
    }

    // ------------------------------------------------------------- lifecycle

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        TaskInfo task = getRuntimeContext().getTaskInfo();
        savedElements =
                new SavedElements<>(
                        context.getOperatorStateStore(),
                        new SavedElementSerializer<>(inputSerializer, outputSerializer),
                        task.getIndexOfThisSubtask(),
                        task.getNumberOfParallelSubtasks());
    }

    @Override
    public void open() throws Exception {
        super.open();
        copiesInputs = getExecutionConfig().isObjectReuseEnabled();
        invoker = invokerFactory.createInvoker();
        metrics =
                new BatchMetrics(
                        getMetricGroup(),
                        settings.capacity(),
                        this::load,
                        () -> flow == null ? 0 : flow.heldBack(),
                        () -> flow == null ? 0 : flow.following(),
                        limit::rows,
                        limit::bytes);
        dispatcher =
                new BatchDispatcher<>(
                        settings,
                        invoker,
                        getProcessingTimeService(),
                        mailbox,
                        metrics,
                        traces(),
                        this,
                        admission());
        flow = createFlow();
        hold =
                new InputHold(
                        () -> dispatcher.hasWaiting() || flow.isFull(),
                        mailbox,
                        getProcessingTimeService(),
                        metrics::inputHeld,
                        InputHold.MOST_ROWS,
                        settings.maxBatchBytes());
        invoker.open(invokerContext);
        restore(savedElements.restored());
        savedElements.clear();
    }

    private BatchTraces traces() {
        Environment environment = getContainingTask().getEnvironment();
        return new BatchTraces(
                TraceSampling.of(
                        environment.getJobConfiguration(),
                        environment.getTaskManagerInfo().getConfiguration()),
                getMetricGroup(),
                getProcessingTimeService().getClock(),
                settings.outputMode());
    }

    private CallAdmission admission() {
        if (settings.overload().isNone()) {
            return CallAdmission.ALWAYS;
        }
        return new BackendAdmission(
                settings,
                BackendLease.of(
                        settings,
                        getRuntimeContext().getTaskInfo(),
                        getOperatorID(),
                        getProcessingTimeService().getClock()),
                getProcessingTimeService(),
                mailbox,
                getMetricGroup(),
                limit::plan);
    }

    private RowFlow<IN, OUT> createFlow() {
        FlowContext<IN, OUT> context =
                new FlowContext<>(
                        settings,
                        weigher,
                        new BatchWeights<>(grouping),
                        limit,
                        getProcessingTimeService(),
                        dispatcher,
                        metrics);
        return grouping.isOfNeighbours()
                ? new RunFlow<>(context)
                : new SeatFlow<>(context, grouping, outputSerializer);
    }

    @Override
    public void endInput() throws Exception {
        rethrowFailure();
        flow.close(CloseReason.END_OF_INPUT);
        while (!flow.isEmpty()) {
            mailbox.yield();
        }
        dispatcher.endInput();
    }

    @Override
    public void finish() throws Exception {
        super.finish();
        finished = true;
    }

    @Override
    public void close() throws Exception {
        invokerContext.ignoreFailures();
        if (flow != null) {
            flow.cancelTimers();
        }
        if (dispatcher != null) {
            dispatcher.close();
        }
        try {
            closeInvoker();
        } finally {
            super.close();
        }
    }

    /**
     * A failure counts only if all else went well. When a task that has failed or was cancelled
     * throws once more, Flink ends the whole TaskManager.
     */
    private void closeInvoker() throws Exception {
        BatchInvoker<IN, OUT> closing = invoker;
        invoker = null;
        if (closing == null) {
            return;
        }
        try {
            closing.close();
        } catch (Exception closeFailure) {
            if (finished) {
                throw closeFailure;
            }
            LOG.warn("What runs the function did not close in order", closeFailure);
        }
    }

    // ----------------------------------------------------------------- input

    @Override
    public void processElement(StreamRecord<IN> record) throws Exception {
        rethrowFailure();
        IN value = record.getValue();
        long weight = flow.add(copiesInputs ? inputSerializer.copy(value) : value, record);
        // The row is in the snapshot from here on; only the next one has to wait.
        hold.awaitNextRow(weight);
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        rethrowFailure();
        flow.onWatermark(mark.getTimestamp());
        flow.add(mark);
        emit();
    }

    /**
     * In its place among the rows, since idleness that overtakes them makes them late downstream.
     */
    @Override
    public void processWatermarkStatus(WatermarkStatus status) throws Exception {
        rethrowFailure();
        flow.add(status);
        emit();
    }

    @Override
    public void processRecordAttributes(RecordAttributes attributes) throws Exception {
        rethrowFailure();
        flow.add(attributes);
        emit();
    }

    // ---------------------------------------------------------------- output

    @Override
    public void onCallEnded(long nanos) {
        flow.onCallEnded(nanos);
    }

    @Override
    public void onDone(Batch<IN, OUT> batch) throws Exception {
        flow.completed(batch);
        emit();
    }

    @Override
    public void onPartlyDone(Batch<IN, OUT> batch) throws Exception {
        flow.partlyReady(batch);
        emit();
    }

    @Override
    public void onTooLarge(int rows, long bytes) {
        limit.tooLarge(rows, bytes);
    }

    @Override
    public void onSuccess(int rows, long bytes) {
        limit.succeeded(rows, bytes);
    }

    @Override
    public boolean awaitsSlot() {
        return flow.awaitsSlot();
    }

    @Override
    public void onSlotFree() {
        flow.onSlotFree();
    }

    @Override
    public void onFailure(Exception batchFailure) throws Exception {
        fail(batchFailure);
    }

    @Override
    protected boolean canEmit() {
        return flow.canEmit();
    }

    @Override
    protected void emitUpTo(int most) throws Exception {
        flow.emit(most, rowOutput);
    }

    // ----------------------------------------------------------------- state

    /** Before the barrier leaves, so that what leaves here belongs to the checkpoint. */
    @Override
    public void prepareSnapshotPreBarrier(long checkpointId) throws Exception {
        if (!settings.drainAtCheckpoint()) {
            return;
        }
        rethrowFailure();
        flow.closeWhatBatchesWaitFor();
        while (flow.hasBatches()) {
            mailbox.yield();
            flow.closeWhatBatchesWaitFor();
        }
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        super.snapshotState(context);
        rethrowFailure();
        List<SavedElement<IN, OUT>> elements = new ArrayList<>();
        flow.save(elements::add);
        savedElements.update(elements);
    }

    @Override
    protected void forgetSaved() {
        savedElements.clear();
    }

    /**
     * Takes the restored rows in without ever waiting, since no mail runs before the task does
     * (FLINK-7949). What exceeds the capacity waits in the dispatcher and holds back new input.
     */
    private void restore(List<SavedElement<IN, OUT>> elements) throws Exception {
        holdEmission();
        RestoredRows<IN, OUT> restored =
                new RestoredRows<>(flow, settings.failureHandling().onFailure());
        for (SavedElement<IN, OUT> element : elements) {
            restored.add(element);
        }
        restored.end();
        flow.restored();
        beginEmission();
    }

    private InflightLoad load() {
        return dispatcher == null ? InflightLoad.NONE : dispatcher.load();
    }
}
