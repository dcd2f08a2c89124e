package io.asyncbatch.flink.operator.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.FailureKind;
import java.io.IOException;
import org.apache.flink.api.common.serialization.SerializerConfigImpl;
import org.apache.flink.api.common.typeutils.SerializerTestBase;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSchemaCompatibility;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.IntSerializer;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.api.common.typeutils.base.StringSerializer;
import org.apache.flink.api.java.typeutils.runtime.kryo.KryoSerializer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.junit.jupiter.api.Test;

/** Runs Flink's serializer conformance suite, and what is particular to this serializer. */
class SavedElementSerializerTest extends SerializerTestBase<SavedElement<String, Integer>> {

    @Override
    protected TypeSerializer<SavedElement<String, Integer>> createSerializer() {
        return new SavedElementSerializer<>(StringSerializer.INSTANCE, IntSerializer.INSTANCE);
    }

    @Override
    protected int getLength() {
        return -1;
    }

    @Override
    @SuppressWarnings({"unchecked", "rawtypes"})
    protected Class<SavedElement<String, Integer>> getTypeClass() {
        return (Class) SavedElement.class;
    }

    @Override
    @SuppressWarnings({"unchecked", "rawtypes"})
    protected SavedElement<String, Integer>[] getTestData() {
        return new SavedElement[] {
            new SavedElement.Origin<>(3, 8, 5),
            new SavedElement.Input<>("a row", true, 17L),
            new SavedElement.Input<>("", false, 0L),
            new SavedElement.Input<>(null, true, Long.MIN_VALUE),
            new SavedElement.Result<>(42, true, Long.MAX_VALUE),
            new SavedElement.Result<>(null, false, 0L),
            new SavedElement.Failed<>(
                    "bad",
                    new FailedRow(FailureKind.ROW_FAILURE, "ValueError", "n\u00f6", 2, 1_700L),
                    true,
                    17L),
            new SavedElement.Failed<>(
                    null, new FailedRow(FailureKind.TIMEOUT, "", "", 1, 0L), false, 0L),
            new SavedElement.Mark<>(Long.MAX_VALUE),
            new SavedElement.Mark<>(-1L),
        };
    }

    @Test
    void isDuplicatedOnlyForTheSakeOfANestedSerializerWithState() {
        TypeSerializer<Object> stateful =
                new KryoSerializer<>(Object.class, new SerializerConfigImpl());
        TypeSerializer<String> stateless = StringSerializer.INSTANCE;
        assertThat(isItsOwnDuplicate(stateless, stateless)).isTrue();
        assertThat(isItsOwnDuplicate(stateful, stateless)).isFalse();
        assertThat(isItsOwnDuplicate(stateless, stateful)).isFalse();
    }

    private static <IN, OUT> boolean isItsOwnDuplicate(
            TypeSerializer<IN> input, TypeSerializer<OUT> output) {
        SavedElementSerializer<IN, OUT> serializer = new SavedElementSerializer<>(input, output);
        return serializer.duplicate() == serializer;
    }

    @Test
    void elementsAreImmutableIfInputsAndOutputsAre() {
        TypeSerializer<Object> mutable =
                new KryoSerializer<>(Object.class, new SerializerConfigImpl());
        TypeSerializer<String> immutable = StringSerializer.INSTANCE;
        assertThat(new SavedElementSerializer<>(immutable, immutable).isImmutableType()).isTrue();
        assertThat(new SavedElementSerializer<>(mutable, immutable).isImmutableType()).isFalse();
        assertThat(new SavedElementSerializer<>(immutable, mutable).isImmutableType()).isFalse();
    }

    @Test
    void serializersOfOtherTypesAreNotEqual() {
        assertThat(createSerializer())
                .isNotEqualTo(StringSerializer.INSTANCE)
                .isNotEqualTo(
                        new SavedElementSerializer<>(
                                StringSerializer.INSTANCE, LongSerializer.INSTANCE))
                .isNotEqualTo(
                        new SavedElementSerializer<>(
                                LongSerializer.INSTANCE, IntSerializer.INSTANCE));
    }

    /** What version one wrote is in a golden file; another version needs another. */
    @Test
    void writesVersionOne() {
        assertThat(
                        new SavedElementSerializerSnapshot<>(
                                        new SavedElementSerializer<>(
                                                StringSerializer.INSTANCE, IntSerializer.INSTANCE))
                                .getCurrentOuterSnapshotVersion())
                .isOne();
    }

    @Test
    void unknownTagIsNamed() throws IOException {
        for (int tag : new int[] {0b111, 0b0010_0000, 0xFF}) {
            DataInputDeserializer source = new DataInputDeserializer(new byte[] {(byte) tag});
            assertThatThrownBy(() -> createSerializer().deserialize(source))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("unknown tag " + tag);
        }
    }

    @Test
    void compatibilityIsThatOfTheNestedSerializers() throws IOException {
        TypeSerializerSnapshot<SavedElement<String, Integer>> read =
                throughBytes(createSerializer().snapshotConfiguration());
        assertThat(resolve(createSerializer(), read).isCompatibleAsIs()).isTrue();
        assertThat(
                        resolve(
                                        new SavedElementSerializer<>(
                                                StringSerializer.INSTANCE, LongSerializer.INSTANCE),
                                        read)
                                .isIncompatible())
                .isTrue();
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static TypeSerializerSchemaCompatibility<?> resolve(
            TypeSerializer<?> current, TypeSerializerSnapshot<?> old) {
        return ((TypeSerializerSnapshot) current.snapshotConfiguration())
                .resolveSchemaCompatibility((TypeSerializerSnapshot) old);
    }

    private static <T> TypeSerializerSnapshot<T> throughBytes(TypeSerializerSnapshot<T> snapshot)
            throws IOException {
        DataOutputSerializer target = new DataOutputSerializer(64);
        TypeSerializerSnapshot.writeVersionedSnapshot(target, snapshot);
        return TypeSerializerSnapshot.readVersionedSnapshot(
                new DataInputDeserializer(target.getCopyOfBuffer()),
                SavedElementSerializerTest.class.getClassLoader());
    }
}
