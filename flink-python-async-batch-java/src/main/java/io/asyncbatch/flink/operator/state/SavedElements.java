package io.asyncbatch.flink.operator.state;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.OperatorStateStore;

/**
 * The operator's state: the rows that have not left, of one subtask. Owned by the mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class SavedElements<IN, OUT> {

    private static final String STATE_NAME = "async-batch-rows";

    private final ListState<SavedElement<IN, OUT>> state;
    private final int subtask;
    private final int parallelism;

    public SavedElements(
            OperatorStateStore store,
            SavedElementSerializer<IN, OUT> serializer,
            int subtask,
            int parallelism)
            throws Exception {
        this.state = store.getListState(new ListStateDescriptor<>(STATE_NAME, serializer));
        this.subtask = subtask;
        this.parallelism = parallelism;
    }

    /** Replaces what the next snapshot will hold. */
    public void update(List<SavedElement<IN, OUT>> elements) throws Exception {
        if (elements.isEmpty()) {
            state.clear();
            return;
        }
        List<SavedElement<IN, OUT>> entries = new ArrayList<>(elements.size() + 1);
        entries.add(new SavedElement.Origin<>(subtask, parallelism, elements.size()));
        entries.addAll(elements);
        state.update(entries);
    }

    /** Lets go of the rows, which the state would otherwise hold until the next snapshot. */
    public void clear() {
        state.clear();
    }

    /**
     * The entries that this subtask has to go on with.
     *
     * <p>If Flink mixed the entries of several subtasks, or split those of one, the watermarks
     * among them no longer stand where they stood for the rows around them, and would make rows
     * late. They are left out then: a later one comes from upstream.
     */
    public List<SavedElement<IN, OUT>> restored() throws Exception {
        List<SavedElement<IN, OUT>> entries = new ArrayList<>();
        state.get().forEach(entries::add);
        boolean asWritten = !entries.isEmpty() && isOwnOrigin(entries);
        entries.removeIf(
                entry ->
                        entry instanceof SavedElement.Origin
                                || (!asWritten && entry instanceof SavedElement.Mark));
        return entries;
    }

    private boolean isOwnOrigin(List<SavedElement<IN, OUT>> entries) {
        return entries.get(0) instanceof SavedElement.Origin<IN, OUT> origin
                && origin.subtask() == subtask
                && origin.parallelism() == parallelism
                && origin.entries() == entries.size() - 1;
    }
}
