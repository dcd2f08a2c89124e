package io.asyncbatch.flink.batchapi.state;

import io.asyncbatch.flink.batchapi.SubmittedBatch;
import java.io.IOException;
import java.time.Instant;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** Writes {@link SubmittedBatch}es into the state, field by field. Stateless. */
final class SubmittedBatches {

    private SubmittedBatches() {}

    static void write(SubmittedBatch batch, DataOutputView target) throws IOException {
        target.writeUTF(batch.batchId);
        target.writeLong(batch.submittedAt.getEpochSecond());
        target.writeInt(batch.submittedAt.getNano());
        target.writeInt(batch.recordCount);
        target.writeUTF(batch.inputFile);
        target.writeUTF(batch.resultsTopic);
        target.writeUTF(batch.apiEndpoint);
        target.writeUTF(batch.status);
        target.writeUTF(batch.batchNumber);
        target.writeUTF(batch.customIdPrefix);
    }

    static SubmittedBatch read(DataInputView source) throws IOException {
        SubmittedBatch batch = new SubmittedBatch();
        batch.batchId = source.readUTF();
        long second = source.readLong();
        batch.submittedAt = Instant.ofEpochSecond(second, source.readInt());
        batch.recordCount = source.readInt();
        batch.inputFile = source.readUTF();
        batch.resultsTopic = source.readUTF();
        batch.apiEndpoint = source.readUTF();
        batch.status = source.readUTF();
        batch.batchNumber = source.readUTF();
        batch.customIdPrefix = source.readUTF();
        return batch;
    }
}
