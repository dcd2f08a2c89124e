package io.asyncbatch.flink.simulation;

import io.asyncbatch.flink.operator.state.SavedElement;
import io.asyncbatch.flink.operator.state.SavedElementSerializer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.typeutils.base.IntSerializer;
import org.apache.flink.core.fs.FSDataInputStream;
import org.apache.flink.core.memory.DataInputViewStreamWrapper;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.state.OperatorStateHandle;
import org.apache.flink.runtime.state.OperatorStateHandle.StateMetaInfo;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;

/** Reads what is in snapshots of the operator, and deals them out as Flink does. Stateless. */
final class SavedState {

    private static final String NAME = "async-batch-rows";
    private static final int MAX_PARALLELISM = 128;

    private SavedState() {}

    /** Everything that a snapshot of a subtask holds, in its order. */
    static List<SavedElement<Integer, Integer>> elements(OperatorSubtaskState state) {
        List<SavedElement<Integer, Integer>> elements = new ArrayList<>();
        try {
            for (OperatorStateHandle handle : state.getManagedOperatorState()) {
                StateMetaInfo partitions = handle.getStateNameToPartitionOffsets().get(NAME);
                if (partitions != null) {
                    read(handle, partitions.getOffsets(), elements);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return elements;
    }

    private static void read(
            OperatorStateHandle handle, long[] offsets, List<SavedElement<Integer, Integer>> into)
            throws IOException {
        SavedElementSerializer<Integer, Integer> serializer =
                new SavedElementSerializer<>(IntSerializer.INSTANCE, IntSerializer.INSTANCE);
        try (FSDataInputStream stream = handle.openInputStream()) {
            for (long offset : offsets) {
                stream.seek(offset);
                into.add(serializer.deserialize(new DataInputViewStreamWrapper(stream)));
            }
        }
    }

    /**
     * What a subtask goes on with: all of it, or, where it has not exactly what a subtask of that
     * index wrote, the rows alone, since watermarks no longer stand where they stood among them.
     */
    static List<SavedElement<Integer, Integer>> asRestored(
            OperatorSubtaskState state, int index, int parallelism) {
        List<SavedElement<Integer, Integer>> elements = elements(state);
        SavedElement<Integer, Integer> whole =
                new SavedElement.Origin<>(index, parallelism, elements.size() - 1);
        boolean asWritten = !elements.isEmpty() && elements.get(0).equals(whole);
        elements.removeIf(
                element ->
                        element instanceof SavedElement.Origin
                                || !asWritten && element instanceof SavedElement.Mark);
        return elements;
    }

    /**
     * @return one for each new subtask; none if there was no snapshot
     */
    static List<OperatorSubtaskState> distribute(List<OperatorSubtaskState> states, int parallelism)
            throws Exception {
        if (states.isEmpty() || states.size() == parallelism) {
            return states;
        }
        OperatorSubtaskState all =
                AbstractStreamOperatorTestHarness.repackageState(
                        states.toArray(new OperatorSubtaskState[0]));
        List<OperatorSubtaskState> dealt = new ArrayList<>();
        for (int index = 0; index < parallelism; index++) {
            dealt.add(
                    AbstractStreamOperatorTestHarness.repartitionOperatorState(
                            all, MAX_PARALLELISM, states.size(), parallelism, index));
        }
        return dealt;
    }
}
