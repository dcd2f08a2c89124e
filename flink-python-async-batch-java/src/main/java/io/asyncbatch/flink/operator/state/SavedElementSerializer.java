package io.asyncbatch.flink.operator.state;

import io.asyncbatch.flink.FailureKind;
import java.io.IOException;
import java.util.Objects;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.types.StringValue;

/**
 * Writes {@link SavedElement}s: a tag byte, then what the tag announces. Used by one thread at a
 * time, as every serializer; {@link #duplicate} for another.
 *
 * <p>A null value is a bit of the tag, since many of Flink's serializers refuse null and a timeout
 * handler may well substitute it.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class SavedElementSerializer<IN, OUT> extends TypeSerializer<SavedElement<IN, OUT>> {

    private static final long serialVersionUID = 1L;

    private static final int KIND_MASK = 0b0000_0111;
    private static final int KIND_INPUT = 0;
    private static final int KIND_RESULT = 1;
    private static final int KIND_MARK = 2;
    private static final int KIND_ORIGIN = 3;
    private static final int KIND_FAILED = 4;
    private static final int HAS_TIMESTAMP = 0b0000_1000;
    private static final int IS_NULL = 0b0001_0000;
    private static final int KNOWN_BITS = KIND_MASK | HAS_TIMESTAMP | IS_NULL;

    private final TypeSerializer<IN> inputSerializer;
    private final TypeSerializer<OUT> outputSerializer;

    public SavedElementSerializer(
            TypeSerializer<IN> inputSerializer, TypeSerializer<OUT> outputSerializer) {
        this.inputSerializer = Objects.requireNonNull(inputSerializer, "input serializer");
        this.outputSerializer = Objects.requireNonNull(outputSerializer, "output serializer");
    }

    TypeSerializer<IN> inputSerializer() {
        return inputSerializer;
    }

    TypeSerializer<OUT> outputSerializer() {
        return outputSerializer;
    }

    @Override
    public boolean isImmutableType() {
        return inputSerializer.isImmutableType() && outputSerializer.isImmutableType();
    }

    @Override
    public TypeSerializer<SavedElement<IN, OUT>> duplicate() {
        TypeSerializer<IN> input = inputSerializer.duplicate();
        TypeSerializer<OUT> output = outputSerializer.duplicate();
        return input == inputSerializer && output == outputSerializer
                ? this
                : new SavedElementSerializer<>(input, output);
    }

    @Override
    public SavedElement<IN, OUT> createInstance() {
        return new SavedElement.Mark<>(Long.MIN_VALUE);
    }

    @Override
    public SavedElement<IN, OUT> copy(SavedElement<IN, OUT> from) {
        if (from instanceof SavedElement.Input<IN, OUT> input) {
            return new SavedElement.Input<>(
                    NullableCopy.of(input.value(), inputSerializer),
                    input.hasTimestamp(),
                    input.timestamp());
        }
        if (from instanceof SavedElement.Result<IN, OUT> result) {
            return new SavedElement.Result<>(
                    NullableCopy.of(result.value(), outputSerializer),
                    result.hasTimestamp(),
                    result.timestamp());
        }
        if (from instanceof SavedElement.Failed<IN, OUT> failed) {
            return new SavedElement.Failed<>(
                    NullableCopy.of(failed.value(), inputSerializer),
                    failed.failure(),
                    failed.hasTimestamp(),
                    failed.timestamp());
        }
        return from;
    }

    @Override
    public SavedElement<IN, OUT> copy(SavedElement<IN, OUT> from, SavedElement<IN, OUT> reuse) {
        return copy(from);
    }

    @Override
    public int getLength() {
        return -1;
    }

    @Override
    public void serialize(SavedElement<IN, OUT> element, DataOutputView target) throws IOException {
        Objects.requireNonNull(element, "element");
        if (element instanceof SavedElement.Input<IN, OUT> input) {
            writeRow(
                    KIND_INPUT,
                    input.value(),
                    input.hasTimestamp(),
                    input.timestamp(),
                    inputSerializer,
                    target);
        } else if (element instanceof SavedElement.Result<IN, OUT> result) {
            writeRow(
                    KIND_RESULT,
                    result.value(),
                    result.hasTimestamp(),
                    result.timestamp(),
                    outputSerializer,
                    target);
        } else if (element instanceof SavedElement.Failed<IN, OUT> failed) {
            writeRow(
                    KIND_FAILED,
                    failed.value(),
                    failed.hasTimestamp(),
                    failed.timestamp(),
                    inputSerializer,
                    target);
            writeFailure(failed.failure(), target);
        } else if (element instanceof SavedElement.Mark<IN, OUT> mark) {
            target.writeByte(KIND_MARK);
            target.writeLong(mark.timestamp());
        } else if (element instanceof SavedElement.Origin<IN, OUT> origin) {
            target.writeByte(KIND_ORIGIN);
            target.writeInt(origin.subtask());
            target.writeInt(origin.parallelism());
            target.writeInt(origin.entries());
        }
    }

    @Override
    public SavedElement<IN, OUT> deserialize(DataInputView source) throws IOException {
        int tag = source.readUnsignedByte();
        if ((tag & ~KNOWN_BITS) != 0) {
            throw unknownTag(tag);
        }
        switch (tag & KIND_MASK) {
            case KIND_INPUT:
                {
                    long timestamp = readTimestamp(tag, source);
                    return new SavedElement.Input<>(
                            readValue(tag, inputSerializer, source), hasTimestamp(tag), timestamp);
                }
            case KIND_RESULT:
                {
                    long timestamp = readTimestamp(tag, source);
                    return new SavedElement.Result<>(
                            readValue(tag, outputSerializer, source), hasTimestamp(tag), timestamp);
                }
            case KIND_FAILED:
                {
                    long timestamp = readTimestamp(tag, source);
                    return new SavedElement.Failed<>(
                            readValue(tag, inputSerializer, source),
                            readFailure(source),
                            hasTimestamp(tag),
                            timestamp);
                }
            case KIND_MARK:
                return new SavedElement.Mark<>(source.readLong());
            case KIND_ORIGIN:
                return new SavedElement.Origin<>(
                        source.readInt(), source.readInt(), source.readInt());
            default:
                throw unknownTag(tag);
        }
    }

    @Override
    public SavedElement<IN, OUT> deserialize(SavedElement<IN, OUT> reuse, DataInputView source)
            throws IOException {
        return deserialize(source);
    }

    @Override
    public void copy(DataInputView source, DataOutputView target) throws IOException {
        serialize(deserialize(source), target);
    }

    @Override
    public TypeSerializerSnapshot<SavedElement<IN, OUT>> snapshotConfiguration() {
        return new SavedElementSerializerSnapshot<>(this);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof SavedElementSerializer<?, ?> that
                && inputSerializer.equals(that.inputSerializer)
                && outputSerializer.equals(that.outputSerializer);
    }

    @Override
    public int hashCode() {
        return Objects.hash(inputSerializer, outputSerializer);
    }

    private static <T> void writeRow(
            int kind,
            T value,
            boolean hasTimestamp,
            long timestamp,
            TypeSerializer<T> serializer,
            DataOutputView target)
            throws IOException {
        target.writeByte(kind | (hasTimestamp ? HAS_TIMESTAMP : 0) | (value == null ? IS_NULL : 0));
        if (hasTimestamp) {
            target.writeLong(timestamp);
        }
        if (value != null) {
            serializer.serialize(value, target);
        }
    }

    private static boolean hasTimestamp(int tag) {
        return (tag & HAS_TIMESTAMP) != 0;
    }

    private static long readTimestamp(int tag, DataInputView source) throws IOException {
        return hasTimestamp(tag) ? source.readLong() : 0L;
    }

    private static <T> T readValue(int tag, TypeSerializer<T> serializer, DataInputView source)
            throws IOException {
        return (tag & IS_NULL) != 0 ? null : serializer.deserialize(source);
    }

    /** The kind by its name, so that kinds may be added anywhere. */
    private static void writeFailure(FailedRow failure, DataOutputView target) throws IOException {
        StringValue.writeString(failure.kind().name(), target);
        StringValue.writeString(failure.errorClass(), target);
        StringValue.writeString(failure.message(), target);
        target.writeInt(failure.attempts());
        target.writeLong(failure.atMillis());
    }

    private static FailedRow readFailure(DataInputView source) throws IOException {
        String kind = StringValue.readString(source);
        String errorClass = StringValue.readString(source);
        String message = StringValue.readString(source);
        int attempts = source.readInt();
        long atMillis = source.readLong();
        try {
            return new FailedRow(
                    FailureKind.valueOf(kind), errorClass, message, attempts, atMillis);
        } catch (IllegalArgumentException e) {
            throw new IOException(
                    "the state of the batching operator has a failed row of the unknown kind '"
                            + kind
                            + "'; it was written by a newer version or is damaged",
                    e);
        }
    }

    private static IOException unknownTag(int tag) {
        return new IOException(
                "the state of the batching operator has an entry with the unknown tag "
                        + tag
                        + "; it was written by a newer version or is damaged");
    }
}
