package io.asyncbatch.flink.api;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.CheckpointListener;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.functions.source.legacy.RichParallelSourceFunction;

/**
 * The numbers from 1 on, some between any two checkpoints, so that a job lives through many. A
 * source without a coordinator: with one, tasks that fail in the middle of a checkpoint now and
 * then end Flink 2.3's JobManager ("Some subtask gateway can be closed while others cannot"), and
 * splits now and then get lost.
 */
@SuppressWarnings("deprecation")
public final class PacedNumbers extends RichParallelSourceFunction<Long>
        implements CheckpointedFunction, CheckpointListener {

    private static final long serialVersionUID = 1L;

    private final long last;
    private final int perCheckpoint;
    private transient ListState<Long> state;
    private transient Object lock;
    private transient long next;
    private transient int sinceCheckpoint;
    private transient volatile boolean cancelled;

    /**
     * @param last number, over all subtasks
     * @param perCheckpoint numbers of a subtask between two checkpoints
     */
    public PacedNumbers(long last, int perCheckpoint) {
        this.last = last;
        this.perCheckpoint = perCheckpoint;
    }

    @Override
    public void initializeState(FunctionInitializationContext context) throws Exception {
        state =
                context.getOperatorStateStore()
                        .getListState(new ListStateDescriptor<>("next", Types.LONG));
        next = getRuntimeContext().getTaskInfo().getIndexOfThisSubtask() + 1L;
        List<Long> restored = new ArrayList<>();
        state.get().forEach(restored::add);
        if (!restored.isEmpty()) {
            next = restored.get(0);
        }
    }

    @Override
    public void open(OpenContext context) {
        lock = new Object();
    }

    @Override
    public void snapshotState(FunctionSnapshotContext context) throws Exception {
        state.update(List.of(next));
    }

    @Override
    public void run(SourceContext<Long> context) throws Exception {
        int step = getRuntimeContext().getTaskInfo().getNumberOfParallelSubtasks();
        while (!cancelled && next <= last) {
            synchronized (context.getCheckpointLock()) {
                context.collect(next);
                next += step;
            }
            synchronized (lock) {
                sinceCheckpoint++;
                while (!cancelled && sinceCheckpoint > perCheckpoint) {
                    lock.wait();
                }
            }
        }
    }

    @Override
    public void notifyCheckpointComplete(long checkpointId) {
        synchronized (lock) {
            sinceCheckpoint = 0;
            lock.notifyAll();
        }
    }

    @Override
    public void cancel() {
        cancelled = true;
        synchronized (lock) {
            lock.notifyAll();
        }
    }
}
