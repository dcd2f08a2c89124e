package io.asyncbatch.flink.sidecar;

import io.asyncbatch.flink.BackendOverload;
import io.asyncbatch.flink.RetryAfter;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import javax.annotation.Nullable;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A request that a model server did not answer as it should. There is one class for each way;
 * {@code docs/sidecar.md} says which status of the protocol becomes which, and what to do.
 *
 * <p>Serializable without anything of gRPC's, so that it arrives at the client of a job as what it
 * is. Messages hold no contents of tensors.
 */
@PublicEvolving
public abstract sealed class SidecarException extends Exception implements RetryAfter {

    private static final long serialVersionUID = 1L;

    /** Ways to fail, as a value to switch on. */
    public enum Kind {
        UNAVAILABLE(true),
        MODEL_NOT_FOUND(false),
        INVALID_TENSOR(false),
        OVERLOADED(true),
        OUT_OF_MEMORY(false),
        DEADLINE_EXCEEDED(true),
        ACCESS_DENIED(false),
        INTERNAL(false);

        private final boolean retryable;

        Kind(boolean retryable) {
            this.retryable = retryable;
        }

        /** Whether the same request may succeed later, unless the server says otherwise. */
        public boolean isRetryable() {
            return retryable;
        }

        /** An exception of this kind that follows the kind's rule and names no delay. */
        public SidecarException exception(String message) {
            return exception(message, retryable, null);
        }

        /**
         * @param retryable whether the server wants to be asked again
         * @param retryAfter when, or null if it did not say
         */
        public SidecarException exception(
                String message, boolean retryable, @Nullable Duration retryAfter) {
            return switch (this) {
                case UNAVAILABLE -> new Unavailable(message, retryable, retryAfter);
                case MODEL_NOT_FOUND -> new ModelNotFound(message, retryable, retryAfter);
                case INVALID_TENSOR -> new InvalidTensor(message, retryable, retryAfter);
                case OVERLOADED -> new Overloaded(message, retryable, retryAfter);
                case OUT_OF_MEMORY -> new OutOfMemory(message, retryable, retryAfter);
                case DEADLINE_EXCEEDED -> new DeadlineExceeded(message, retryable, retryAfter);
                case ACCESS_DENIED -> new AccessDenied(message, retryable, retryAfter);
                case INTERNAL -> new Internal(message, retryable, retryAfter);
            };
        }
    }

    private final Kind kind;
    private final boolean retryable;
    @Nullable private final Duration retryAfter;

    private SidecarException(
            Kind kind, String message, boolean retryable, @Nullable Duration retryAfter) {
        super(Objects.requireNonNull(message, "message"));
        this.kind = kind;
        this.retryable = retryable;
        this.retryAfter = retryAfter;
    }

    public final Kind kind() {
        return kind;
    }

    /** Whether the same request may succeed later. */
    public final boolean isRetryable() {
        return retryable;
    }

    /** How long the server asks to be left alone, at most ten minutes; empty if it did not say. */
    @Override
    public final Optional<Duration> retryAfter() {
        return Optional.ofNullable(retryAfter);
    }

    /** The server cannot be reached, is going away, or is not ready. */
    public static final class Unavailable extends SidecarException implements BackendOverload {
        private static final long serialVersionUID = 1L;

        private Unavailable(String message, boolean retryable, @Nullable Duration retryAfter) {
            super(Kind.UNAVAILABLE, message, retryable, retryAfter);
        }
    }

    /** The server does not have the model, or not in the version that was asked for. */
    public static final class ModelNotFound extends SidecarException {
        private static final long serialVersionUID = 1L;

        private ModelNotFound(String message, boolean retryable, @Nullable Duration retryAfter) {
            super(Kind.MODEL_NOT_FOUND, message, retryable, retryAfter);
        }
    }

    /** A tensor's name, type, shape, size or contents are not what the other side expects. */
    public static final class InvalidTensor extends SidecarException {
        private static final long serialVersionUID = 1L;

        private InvalidTensor(String message, boolean retryable, @Nullable Duration retryAfter) {
            super(Kind.INVALID_TENSOR, message, retryable, retryAfter);
        }
    }

    /** The server has more to do than it takes on. */
    public static final class Overloaded extends SidecarException implements BackendOverload {
        private static final long serialVersionUID = 1L;

        private Overloaded(String message, boolean retryable, @Nullable Duration retryAfter) {
            super(Kind.OVERLOADED, message, retryable, retryAfter);
        }
    }

    /** The model did not have the memory for this request. */
    public static final class OutOfMemory extends SidecarException implements BackendOverload {
        private static final long serialVersionUID = 1L;

        private OutOfMemory(String message, boolean retryable, @Nullable Duration retryAfter) {
            super(Kind.OUT_OF_MEMORY, message, retryable, retryAfter);
        }
    }

    /** The server did not answer within the request timeout. */
    public static final class DeadlineExceeded extends SidecarException implements BackendOverload {
        private static final long serialVersionUID = 1L;

        private DeadlineExceeded(String message, boolean retryable, @Nullable Duration retryAfter) {
            super(Kind.DEADLINE_EXCEEDED, message, retryable, retryAfter);
        }
    }

    /** The server does not let this client in, or not to this model. */
    public static final class AccessDenied extends SidecarException {
        private static final long serialVersionUID = 1L;

        private AccessDenied(String message, boolean retryable, @Nullable Duration retryAfter) {
            super(Kind.ACCESS_DENIED, message, retryable, retryAfter);
        }
    }

    /** The server or the model failed, or the server does not keep to the protocol. */
    public static final class Internal extends SidecarException {
        private static final long serialVersionUID = 1L;

        private Internal(String message, boolean retryable, @Nullable Duration retryAfter) {
            super(Kind.INTERNAL, message, retryable, retryAfter);
        }
    }
}
