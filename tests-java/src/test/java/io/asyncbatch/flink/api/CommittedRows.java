package io.asyncbatch.flink.api;

import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.flink.api.connector.sink2.Committer;
import org.apache.flink.api.connector.sink2.CommitterInitContext;
import org.apache.flink.api.connector.sink2.CommittingSinkWriter;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SupportsCommitter;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.util.InstantiationUtil;

/**
 * A sink whose rows count once the checkpoint that they belong to is complete, as with any
 * exactly-once sink: rows that a job emits after its last savepoint never count.
 */
public final class CommittedRows
        implements Sink<Long>, SupportsCommitter<CommittedRows.Transaction> {

    private static final long serialVersionUID = 1L;

    /** By transaction, since one that is restored is committed once more. */
    private static final Map<String, List<Long>> COMMITTED = new LinkedHashMap<>();

    /** The rows between two barriers. */
    public record Transaction(String id, ArrayList<Long> rows) implements Serializable {}

    public static void forget() {
        synchronized (COMMITTED) {
            COMMITTED.clear();
        }
    }

    /** In the order in which they were committed. */
    public static List<Long> all() {
        synchronized (COMMITTED) {
            return COMMITTED.values().stream().flatMap(List::stream).toList();
        }
    }

    @Override
    public CommittingSinkWriter<Long, Transaction> createWriter(WriterInitContext context) {
        return new Writer();
    }

    @Override
    public Committer<Transaction> createCommitter(CommitterInitContext context) {
        return new Committer<>() {
            @Override
            public void commit(Collection<CommitRequest<Transaction>> requests) {
                synchronized (COMMITTED) {
                    for (CommitRequest<Transaction> request : requests) {
                        Transaction transaction = request.getCommittable();
                        COMMITTED.put(transaction.id(), transaction.rows());
                    }
                }
            }

            @Override
            public void close() {}
        };
    }

    @Override
    public SimpleVersionedSerializer<Transaction> getCommittableSerializer() {
        return new TransactionSerializer();
    }

    private static final class Writer implements CommittingSinkWriter<Long, Transaction> {

        private ArrayList<Long> rows = new ArrayList<>();

        @Override
        public void write(Long row, Context context) {
            rows.add(row);
        }

        @Override
        public void flush(boolean endOfInput) {}

        @Override
        public Collection<Transaction> prepareCommit() {
            if (rows.isEmpty()) {
                return List.of();
            }
            Transaction transaction = new Transaction(UUID.randomUUID().toString(), rows);
            rows = new ArrayList<>();
            return List.of(transaction);
        }

        @Override
        public void close() {}
    }

    private static final class TransactionSerializer
            implements SimpleVersionedSerializer<Transaction> {

        @Override
        public int getVersion() {
            return 1;
        }

        @Override
        public byte[] serialize(Transaction transaction) throws IOException {
            return InstantiationUtil.serializeObject(transaction);
        }

        @Override
        public Transaction deserialize(int version, byte[] bytes) throws IOException {
            try {
                return InstantiationUtil.deserializeObject(bytes, getClass().getClassLoader());
            } catch (ClassNotFoundException e) {
                throw new IOException(e);
            }
        }
    }
}
