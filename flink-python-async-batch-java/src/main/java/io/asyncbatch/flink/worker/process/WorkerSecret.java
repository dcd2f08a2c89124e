package io.asyncbatch.flink.worker.process;

import java.security.SecureRandom;
import java.util.HexFormat;
import org.apache.flink.annotation.Internal;

/**
 * What one worker shows to prove that it is the one that was started. Made anew for each worker and
 * each of its connections; handed over in the environment, never in the arguments, which every user
 * of the machine can read. Immutable.
 */
@Internal
public final class WorkerSecret {

    private static final int BYTES = 32;

    private final byte[] bytes = new byte[BYTES];

    private WorkerSecret() {
        new SecureRandom().nextBytes(bytes);
    }

    public static WorkerSecret random() {
        return new WorkerSecret();
    }

    public byte[] bytes() {
        return bytes.clone();
    }

    /** For an environment variable or a header. */
    public String hex() {
        return HexFormat.of().formatHex(bytes);
    }

    /** Says nothing of the secret. */
    @Override
    public String toString() {
        return "WorkerSecret";
    }
}
