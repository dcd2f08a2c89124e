package io.asyncbatch.flink.batchapi.state;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.OperatorStateStore;

/**
 * The operator's state: rows and jobs of one subtask. Owned by the mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class SavedEntries<IN, OUT> {

    private static final String STATE_NAME = "batch-api-jobs";

    private final ListState<SavedEntry<IN, OUT>> state;
    private final int subtask;
    private final int parallelism;
    private long nextNumber;

    public SavedEntries(
            OperatorStateStore store,
            SavedEntrySerializer<IN, OUT> serializer,
            int subtask,
            int parallelism)
            throws Exception {
        this.state = store.getListState(new ListStateDescriptor<>(STATE_NAME, serializer));
        this.subtask = subtask;
        this.parallelism = parallelism;
    }

    /**
     * Replaces what the next snapshot will hold.
     *
     * @param numberAfterAll of the next batch
     */
    public void update(List<SavedEntry<IN, OUT>> entries, long numberAfterAll) throws Exception {
        List<SavedEntry<IN, OUT>> all = new ArrayList<>(entries.size() + 1);
        all.add(new SavedEntry.Origin<>(subtask, parallelism, entries.size(), numberAfterAll));
        all.addAll(entries);
        state.update(all);
    }

    /** Lets go of the entries, which the state would otherwise hold until the next snapshot. */
    public void clear() {
        state.clear();
    }

    /**
     * The entries that this subtask has to go on with. If Flink mixed those of several subtasks,
     * the watermarks among them no longer stand where they stood and are left out: later ones come
     * from upstream.
     */
    public List<SavedEntry<IN, OUT>> restored() throws Exception {
        List<SavedEntry<IN, OUT>> entries = new ArrayList<>();
        for (SavedEntry<IN, OUT> entry : state.get()) {
            entries.add(entry);
            if (entry instanceof SavedEntry.Origin<IN, OUT> origin) {
                nextNumber = Math.max(nextNumber, origin.nextNumber());
            }
        }
        boolean asWritten = !entries.isEmpty() && isOwnOrigin(entries);
        entries.removeIf(
                entry ->
                        entry instanceof SavedEntry.Origin
                                || (!asWritten && entry instanceof SavedEntry.Mark));
        return entries;
    }

    /** Of the next batch, after {@link #restored}; 0 without state. */
    public long nextNumber() {
        return nextNumber;
    }

    private boolean isOwnOrigin(List<SavedEntry<IN, OUT>> entries) {
        return entries.get(0) instanceof SavedEntry.Origin<IN, OUT> origin
                && origin.subtask() == subtask
                && origin.parallelism() == parallelism
                && origin.entries() == entries.size() - 1;
    }
}
