package io.asyncbatch.flink.batchapi.state;

import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeutils.CompositeTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializer;

/**
 * Records how {@link SavedEntry}s were written: the format's version and the serializers of inputs
 * and outputs, whose evolution Flink checks. Used by the state backend.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class SavedEntrySerializerSnapshot<IN, OUT>
        extends CompositeTypeSerializerSnapshot<
                SavedEntry<IN, OUT>, SavedEntrySerializer<IN, OUT>> {

    private static final int VERSION = 1;

    /** For reading a snapshot. */
    public SavedEntrySerializerSnapshot() {}

    SavedEntrySerializerSnapshot(SavedEntrySerializer<IN, OUT> serializer) {
        super(serializer);
    }

    @Override
    protected int getCurrentOuterSnapshotVersion() {
        return VERSION;
    }

    @Override
    protected TypeSerializer<?>[] getNestedSerializers(SavedEntrySerializer<IN, OUT> serializer) {
        return new TypeSerializer<?>[] {
            serializer.inputSerializer(), serializer.outputSerializer()
        };
    }

    @Override
    @SuppressWarnings("unchecked")
    protected SavedEntrySerializer<IN, OUT> createOuterSerializerWithNestedSerializers(
            TypeSerializer<?>[] nested) {
        return new SavedEntrySerializer<>(
                (TypeSerializer<IN>) nested[0], (TypeSerializer<OUT>) nested[1]);
    }
}
