package io.asyncbatch.flink.batchapi.state;

import io.asyncbatch.flink.batchapi.FailedRow;
import io.asyncbatch.flink.batchapi.SubmittedRow;
import io.asyncbatch.flink.operator.state.NullableCopy;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * Writes {@link SavedEntry}s: a tag byte, then what the tag announces. Used by one thread at a
 * time, as every serializer; {@link #duplicate} for another.
 *
 * <p>A null value is a flag, since many of Flink's serializers refuse null.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class SavedEntrySerializer<IN, OUT> extends TypeSerializer<SavedEntry<IN, OUT>> {

    private static final long serialVersionUID = 1L;

    private static final int PENDING = 0;
    private static final int JOB = 1;
    private static final int RESULT = 2;
    private static final int FAILURE = 3;
    private static final int MARK = 4;
    private static final int ORIGIN = 5;
    private static final int SUBMITTED = 6;
    private static final int FOLLOWED = 7;

    private final TypeSerializer<IN> inputSerializer;
    private final TypeSerializer<OUT> outputSerializer;

    public SavedEntrySerializer(
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

    // --------------------------------------------------------------- writing

    @Override
    public void serialize(SavedEntry<IN, OUT> entry, DataOutputView target) throws IOException {
        Objects.requireNonNull(entry, "entry");
        if (entry instanceof SavedEntry.Pending<IN, OUT> pending) {
            target.writeByte(PENDING);
            writeRow(pending.row(), target);
        } else if (entry instanceof SavedEntry.Job<IN, OUT> job) {
            target.writeByte(JOB);
            writeJob(job, target);
        } else if (entry instanceof SavedEntry.Result<IN, OUT> result) {
            target.writeByte(RESULT);
            writePlace(result.hasTimestamp(), result.timestamp(), result.segment(), target);
            write(result.value(), outputSerializer, target);
        } else if (entry instanceof SavedEntry.Failure<IN, OUT> failure) {
            target.writeByte(FAILURE);
            writePlace(failure.hasTimestamp(), failure.timestamp(), failure.segment(), target);
            FailedRow<IN> failed = failure.failedRow();
            write(failed.row, inputSerializer, target);
            target.writeUTF(failed.code);
            target.writeUTF(failed.message);
            target.writeInt(failed.attempts);
        } else if (entry instanceof SavedEntry.Mark<IN, OUT> mark) {
            target.writeByte(MARK);
            target.writeInt(mark.segment());
            target.writeLong(mark.timestamp());
        } else if (entry instanceof SavedEntry.Origin<IN, OUT> origin) {
            target.writeByte(ORIGIN);
            target.writeInt(origin.subtask());
            target.writeInt(origin.parallelism());
            target.writeInt(origin.entries());
            target.writeLong(origin.nextNumber());
        } else if (entry instanceof SavedEntry.Submitted<IN, OUT> submitted) {
            target.writeByte(SUBMITTED);
            writePlace(
                    submitted.hasTimestamp(), submitted.timestamp(), submitted.segment(), target);
            target.writeUTF(submitted.submittedRow().customId);
            write(submitted.submittedRow().row, inputSerializer, target);
        } else if (entry instanceof SavedEntry.Followed<IN, OUT> followed) {
            target.writeByte(FOLLOWED);
            writePlace(followed.hasTimestamp(), followed.timestamp(), followed.segment(), target);
            target.writeLong(followed.ranMillis());
            SubmittedBatches.write(followed.batch(), target);
        }
    }

    private void writeJob(SavedEntry.Job<IN, OUT> job, DataOutputView target) throws IOException {
        target.writeUTF(job.key());
        target.writeUTF(job.batchNumber());
        target.writeLong(job.closedAtMillis());
        target.writeInt(job.attempt());
        writeId(job.fileId(), target);
        writeId(job.jobId(), target);
        target.writeLong(job.ranMillis());
        target.writeInt(job.rows().size());
        for (SavedRow<IN> row : job.rows()) {
            writeRow(row, target);
        }
    }

    private void writeRow(SavedRow<IN> row, DataOutputView target) throws IOException {
        writePlace(row.hasTimestamp(), row.timestamp(), row.segment(), target);
        write(row.value(), inputSerializer, target);
    }

    private static void writePlace(
            boolean hasTimestamp, long timestamp, int segment, DataOutputView target)
            throws IOException {
        target.writeBoolean(hasTimestamp);
        target.writeLong(timestamp);
        target.writeInt(segment);
    }

    private static <T> void write(T value, TypeSerializer<T> serializer, DataOutputView target)
            throws IOException {
        target.writeBoolean(value != null);
        if (value != null) {
            serializer.serialize(value, target);
        }
    }

    private static void writeId(@Nullable String id, DataOutputView target) throws IOException {
        target.writeBoolean(id != null);
        if (id != null) {
            target.writeUTF(id);
        }
    }

    // --------------------------------------------------------------- reading

    @Override
    public SavedEntry<IN, OUT> deserialize(DataInputView source) throws IOException {
        int tag = source.readUnsignedByte();
        switch (tag) {
            case PENDING:
                return new SavedEntry.Pending<>(readRow(source));
            case JOB:
                return readJob(source);
            case RESULT:
                {
                    Place place = Place.read(source);
                    return new SavedEntry.Result<>(
                            read(outputSerializer, source),
                            place.hasTimestamp,
                            place.timestamp,
                            place.segment);
                }
            case FAILURE:
                {
                    Place place = Place.read(source);
                    FailedRow<IN> failed =
                            new FailedRow<>(
                                    read(inputSerializer, source),
                                    source.readUTF(),
                                    source.readUTF(),
                                    source.readInt());
                    return new SavedEntry.Failure<>(
                            failed, place.hasTimestamp, place.timestamp, place.segment);
                }
            case MARK:
                return new SavedEntry.Mark<>(source.readInt(), source.readLong());
            case ORIGIN:
                return new SavedEntry.Origin<>(
                        source.readInt(), source.readInt(), source.readInt(), source.readLong());
            case SUBMITTED:
                {
                    Place place = Place.read(source);
                    String customId = source.readUTF();
                    return new SavedEntry.Submitted<>(
                            new SubmittedRow<>(customId, read(inputSerializer, source)),
                            place.hasTimestamp,
                            place.timestamp,
                            place.segment);
                }
            case FOLLOWED:
                {
                    Place place = Place.read(source);
                    long ranMillis = source.readLong();
                    return new SavedEntry.Followed<>(
                            SubmittedBatches.read(source),
                            ranMillis,
                            place.hasTimestamp,
                            place.timestamp,
                            place.segment);
                }
            default:
                throw new IOException(
                        "the state of the batch API's operator has an entry with the unknown tag "
                                + tag
                                + "; it was written by a newer version or is damaged");
        }
    }

    private SavedEntry.Job<IN, OUT> readJob(DataInputView source) throws IOException {
        String key = source.readUTF();
        String batchNumber = source.readUTF();
        long closedAtMillis = source.readLong();
        int attempt = source.readInt();
        String fileId = readId(source);
        String jobId = readId(source);
        long ranMillis = source.readLong();
        int count = source.readInt();
        List<SavedRow<IN>> rows = new ArrayList<>();
        for (int row = 0; row < count; row++) {
            rows.add(readRow(source));
        }
        return new SavedEntry.Job<>(
                key, batchNumber, closedAtMillis, attempt, fileId, jobId, ranMillis, rows);
    }

    private SavedRow<IN> readRow(DataInputView source) throws IOException {
        Place place = Place.read(source);
        return new SavedRow<>(
                read(inputSerializer, source), place.hasTimestamp, place.timestamp, place.segment);
    }

    private record Place(boolean hasTimestamp, long timestamp, int segment) {
        static Place read(DataInputView source) throws IOException {
            return new Place(source.readBoolean(), source.readLong(), source.readInt());
        }
    }

    @Nullable
    private static <T> T read(TypeSerializer<T> serializer, DataInputView source)
            throws IOException {
        return source.readBoolean() ? serializer.deserialize(source) : null;
    }

    @Nullable
    private static String readId(DataInputView source) throws IOException {
        return source.readBoolean() ? source.readUTF() : null;
    }

    // --------------------------------------------------------------- copying

    @Override
    public SavedEntry<IN, OUT> copy(SavedEntry<IN, OUT> from) {
        if (from instanceof SavedEntry.Pending<IN, OUT> pending) {
            return new SavedEntry.Pending<>(copy(pending.row()));
        } else if (from instanceof SavedEntry.Job<IN, OUT> job) {
            return new SavedEntry.Job<>(
                    job.key(),
                    job.batchNumber(),
                    job.closedAtMillis(),
                    job.attempt(),
                    job.fileId(),
                    job.jobId(),
                    job.ranMillis(),
                    job.rows().stream().map(this::copy).toList());
        } else if (from instanceof SavedEntry.Result<IN, OUT> result) {
            return new SavedEntry.Result<>(
                    NullableCopy.of(result.value(), outputSerializer),
                    result.hasTimestamp(),
                    result.timestamp(),
                    result.segment());
        } else if (from instanceof SavedEntry.Failure<IN, OUT> failure) {
            FailedRow<IN> failed = failure.failedRow();
            return new SavedEntry.Failure<>(
                    new FailedRow<>(
                            NullableCopy.of(failed.row, inputSerializer),
                            failed.code,
                            failed.message,
                            failed.attempts),
                    failure.hasTimestamp(),
                    failure.timestamp(),
                    failure.segment());
        } else if (from instanceof SavedEntry.Submitted<IN, OUT> submitted) {
            SubmittedRow<IN> row = submitted.submittedRow();
            return new SavedEntry.Submitted<>(
                    new SubmittedRow<>(row.customId, NullableCopy.of(row.row, inputSerializer)),
                    submitted.hasTimestamp(),
                    submitted.timestamp(),
                    submitted.segment());
        }
        return from;
    }

    private SavedRow<IN> copy(SavedRow<IN> row) {
        return new SavedRow<>(
                NullableCopy.of(row.value(), inputSerializer),
                row.hasTimestamp(),
                row.timestamp(),
                row.segment());
    }

    @Override
    public SavedEntry<IN, OUT> copy(SavedEntry<IN, OUT> from, SavedEntry<IN, OUT> reuse) {
        return copy(from);
    }

    @Override
    public void copy(DataInputView source, DataOutputView target) throws IOException {
        serialize(deserialize(source), target);
    }

    // ------------------------------------------------------------ the rest of it

    @Override
    public boolean isImmutableType() {
        return inputSerializer.isImmutableType() && outputSerializer.isImmutableType();
    }

    @Override
    public TypeSerializer<SavedEntry<IN, OUT>> duplicate() {
        TypeSerializer<IN> input = inputSerializer.duplicate();
        TypeSerializer<OUT> output = outputSerializer.duplicate();
        return input == inputSerializer && output == outputSerializer
                ? this
                : new SavedEntrySerializer<>(input, output);
    }

    @Override
    public SavedEntry<IN, OUT> createInstance() {
        return new SavedEntry.Mark<>(0, Long.MIN_VALUE);
    }

    @Override
    public int getLength() {
        return -1;
    }

    @Override
    public SavedEntry<IN, OUT> deserialize(SavedEntry<IN, OUT> reuse, DataInputView source)
            throws IOException {
        return deserialize(source);
    }

    @Override
    public TypeSerializerSnapshot<SavedEntry<IN, OUT>> snapshotConfiguration() {
        return new SavedEntrySerializerSnapshot<>(this);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof SavedEntrySerializer<?, ?> that
                && inputSerializer.equals(that.inputSerializer)
                && outputSerializer.equals(that.outputSerializer);
    }

    @Override
    public int hashCode() {
        return Objects.hash(inputSerializer, outputSerializer);
    }
}
