package io.asyncbatch.flink.batchapi.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.batchapi.FailedRow;
import io.asyncbatch.flink.batchapi.SubmittedBatch;
import io.asyncbatch.flink.batchapi.SubmittedRow;
import java.io.IOException;
import java.time.Instant;
import java.util.List;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSchemaCompatibility;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshotSerializationUtil;
import org.apache.flink.api.common.typeutils.base.IntSerializer;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.api.common.typeutils.base.StringSerializer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.junit.jupiter.api.Test;

/** What a snapshot holds comes back as it was. */
class SavedEntrySerializerTest {

    private final SavedEntrySerializer<Integer, String> serializer =
            new SavedEntrySerializer<>(IntSerializer.INSTANCE, StringSerializer.INSTANCE);

    private final List<SavedEntry<Integer, String>> entries =
            List.of(
                    new SavedEntry.Origin<>(1, 2, 3, 4_000_000_000L),
                    new SavedEntry.Pending<>(new SavedRow<>(7, true, -8, 9)),
                    new SavedEntry.Pending<>(new SavedRow<>(null, false, 0, 0)),
                    new SavedEntry.Job<>(
                            "key",
                            "batch-0-0",
                            5,
                            1,
                            "file",
                            null,
                            6,
                            List.of(
                                    new SavedRow<>(1, true, 2, 0),
                                    new SavedRow<>(null, false, 0, 1))),
                    new SavedEntry.Job<>("key", "n", 0, 0, null, "job", 0, List.of()),
                    new SavedEntry.Result<>("result", true, 3, 0),
                    new SavedEntry.Result<>(null, false, 0, 1),
                    new SavedEntry.Mark<>(1, Long.MAX_VALUE));

    @Test
    void entriesComeBackAsTheyWere() throws IOException {
        DataOutputSerializer target = new DataOutputSerializer(64);
        for (SavedEntry<Integer, String> entry : entries) {
            serializer.serialize(entry, target);
        }
        DataInputDeserializer source = new DataInputDeserializer(target.getCopyOfBuffer());
        for (SavedEntry<Integer, String> entry : entries) {
            assertThat(serializer.deserialize(source)).isEqualTo(entry);
            assertThat(serializer.copy(entry)).isEqualTo(entry);
        }
        assertThat(source.available()).isZero();
    }

    @Test
    void failuresComeBackAsTheyWere() throws IOException {
        SavedEntry<Integer, String> failure =
                new SavedEntry.Failure<>(new FailedRow<>(7, "code", "m\u00e4ssage", 3), true, 5, 2);
        DataOutputSerializer target = new DataOutputSerializer(64);
        serializer.serialize(failure, target);
        DataInputDeserializer source = new DataInputDeserializer(target.getCopyOfBuffer());
        for (SavedEntry<Integer, String> read :
                List.of(serializer.deserialize(source), serializer.copy(failure))) {
            assertThat(read).usingRecursiveComparison().isEqualTo(failure);
        }
    }

    @Test
    void whatIsBetweenTwoJobsComesBackAsItWas() throws IOException {
        SubmittedBatch batch = new SubmittedBatch();
        batch.batchId = "batch_1";
        batch.submittedAt = Instant.ofEpochSecond(1_800_000_000L, 123_456_789);
        batch.recordCount = 7;
        batch.inputFile = "file";
        batch.resultsTopic = "";
        batch.apiEndpoint = "https://api.example/v1";
        batch.status = "submitted";
        batch.batchNumber = "batch-0-0";
        batch.customIdPrefix = "key";
        List<SavedEntry<Integer, String>> all =
                List.of(
                        new SavedEntry.Submitted<>(new SubmittedRow<>("key-0", 7), true, 5, 2),
                        new SavedEntry.Submitted<>(new SubmittedRow<>("key-1", null), false, 0, 0),
                        new SavedEntry.Followed<>(batch, 9, true, 5, 2));
        DataOutputSerializer target = new DataOutputSerializer(64);
        for (SavedEntry<Integer, String> entry : all) {
            serializer.serialize(entry, target);
        }
        DataInputDeserializer source = new DataInputDeserializer(target.getCopyOfBuffer());
        for (SavedEntry<Integer, String> entry : all) {
            assertThat(serializer.deserialize(source)).usingRecursiveComparison().isEqualTo(entry);
            assertThat(serializer.copy(entry)).usingRecursiveComparison().isEqualTo(entry);
        }
        assertThat(source.available()).isZero();
    }

    @Test
    void anUnknownTagIsNamed() {
        DataInputDeserializer source = new DataInputDeserializer(new byte[] {99});
        assertThatThrownBy(() -> serializer.deserialize(source))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("unknown tag 99");
    }

    @Test
    void typesThatChangedAreNoticed() throws IOException {
        assertThat(compatibility(serializer).isCompatibleAsIs()).isTrue();
        assertThat(
                        compatibility(
                                        new SavedEntrySerializer<>(
                                                LongSerializer.INSTANCE, StringSerializer.INSTANCE))
                                .isIncompatible())
                .isTrue();
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private TypeSerializerSchemaCompatibility<?> compatibility(TypeSerializer<?> next)
            throws IOException {
        DataOutputSerializer target = new DataOutputSerializer(64);
        TypeSerializerSnapshotSerializationUtil.writeSerializerSnapshot(
                target, serializer.snapshotConfiguration());
        TypeSerializerSnapshot<?> before =
                TypeSerializerSnapshotSerializationUtil.readSerializerSnapshot(
                        new DataInputDeserializer(target.getCopyOfBuffer()),
                        getClass().getClassLoader());
        return next.snapshotConfiguration()
                .resolveSchemaCompatibility((TypeSerializerSnapshot) before);
    }
}
