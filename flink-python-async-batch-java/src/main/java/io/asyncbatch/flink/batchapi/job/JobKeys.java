package io.asyncbatch.flink.batchapi.job;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.core.memory.DataOutputSerializer;

/**
 * Names jobs by what they are made of, so that a batch that forms again after a failure has the
 * name that it had before. Owned by the mailbox thread.
 *
 * @param <IN> type of the inputs
 */
@Internal
public final class JobKeys<IN> {

    private static final int KEY_BYTES = 16;
    private static final int BUFFER_BYTES = 256;

    private final String scope;
    private final TypeSerializer<IN> serializer;
    private final DataOutputSerializer buffer = new DataOutputSerializer(BUFFER_BYTES);

    /**
     * @param scope what no other operator, subtask or run has
     */
    public JobKeys(String scope, TypeSerializer<IN> serializer) {
        this.scope = scope;
        this.serializer = serializer;
    }

    /** The key of a new batch: 32 hexadecimal digits. */
    public String key(long number, List<WaitingRow<IN>> rows) throws IOException {
        MessageDigest digest = sha256();
        digest.update((scope + "/" + number).getBytes(StandardCharsets.UTF_8));
        for (WaitingRow<IN> row : rows) {
            buffer.clear();
            buffer.writeBoolean(row.value() != null);
            if (row.value() != null) {
                serializer.serialize(row.value(), buffer);
            }
            digest.update(buffer.getSharedBuffer(), 0, buffer.length());
        }
        return shortened(digest);
    }

    /** The key of some rows of a batch that are submitted again. */
    public static String again(String key, int attempt, List<Integer> places) {
        MessageDigest digest = sha256();
        digest.update((key + "/" + attempt + places).getBytes(StandardCharsets.UTF_8));
        return shortened(digest);
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    private static String shortened(MessageDigest digest) {
        return HexFormat.of().formatHex(digest.digest(), 0, KEY_BYTES);
    }
}
