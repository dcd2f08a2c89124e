package io.asyncbatch.flink.batchapi.client;

import java.io.IOException;
import org.apache.flink.annotation.Internal;

/**
 * A call that failed, and what may be done about it. Immutable. Names calls and codes, never bodies
 * or secrets.
 */
@Internal
public final class BatchApiException extends IOException {

    private static final long serialVersionUID = 1L;

    /** What to do next. */
    public enum Kind {
        /** The same call may succeed later. Whether this one took effect is not known. */
        TRANSIENT,
        /** The provider wants nothing of this file or job, now or later. */
        REJECTED,
        /** Nothing will work until a person has changed something. */
        FATAL
    }

    private final Kind kind;
    private final long retryAfterMillis;

    private BatchApiException(Kind kind, String message, long retryAfterMillis, Throwable cause) {
        super(message, cause);
        this.kind = kind;
        this.retryAfterMillis = retryAfterMillis;
    }

    public static BatchApiException transientFailure(String message, Throwable cause) {
        return new BatchApiException(Kind.TRANSIENT, message, 0, cause);
    }

    /**
     * @param retryAfterMillis the least time until the next attempt
     */
    public static BatchApiException transientFailure(String message, long retryAfterMillis) {
        return new BatchApiException(Kind.TRANSIENT, message, retryAfterMillis, null);
    }

    public static BatchApiException rejected(String message) {
        return new BatchApiException(Kind.REJECTED, message, 0, null);
    }

    public static BatchApiException fatal(String message) {
        return new BatchApiException(Kind.FATAL, message, 0, null);
    }

    public Kind kind() {
        return kind;
    }

    public long retryAfterMillis() {
        return retryAfterMillis;
    }
}
