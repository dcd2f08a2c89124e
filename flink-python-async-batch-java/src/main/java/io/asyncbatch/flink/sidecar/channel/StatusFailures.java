package io.asyncbatch.flink.sidecar.channel;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.UnknownFieldSet;
import io.asyncbatch.flink.sidecar.SidecarException;
import io.asyncbatch.flink.sidecar.SidecarException.Kind;
import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import javax.annotation.Nullable;

/** What a status of gRPC means, and its trailers. Stateless. */
final class StatusFailures {

    static final Metadata.Key<String> ERROR =
            Metadata.Key.of("asyncbatch-error", Metadata.ASCII_STRING_MARSHALLER);
    static final Metadata.Key<String> PUSHBACK =
            Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER);
    static final Metadata.Key<String> RETRY_AFTER =
            Metadata.Key.of("retry-after", Metadata.ASCII_STRING_MARSHALLER);
    static final Metadata.Key<byte[]> DETAILS =
            Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

    /** More is no request to wait, but a mistake or an attack. */
    static final Duration LONGEST_RETRY_AFTER = Duration.ofMinutes(10);

    private static final int LONGEST_DESCRIPTION = 500;
    private static final String RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo";

    /** What servers of our own say more exactly than a status can. */
    private static final Map<String, Kind> ERRORS =
            Map.of(
                    "OUT_OF_MEMORY", Kind.OUT_OF_MEMORY,
                    "OVERLOADED", Kind.OVERLOADED,
                    "MODEL_NOT_FOUND", Kind.MODEL_NOT_FOUND,
                    "INVALID_TENSOR", Kind.INVALID_TENSOR,
                    "DEADLINE_EXCEEDED", Kind.DEADLINE_EXCEEDED,
                    "INTERNAL", Kind.INTERNAL,
                    "UNAVAILABLE", Kind.UNAVAILABLE);

    private StatusFailures() {}

    /**
     * @param target names server and model
     */
    static SidecarException of(Status status, @Nullable Metadata trailers, String target) {
        Metadata told = trailers == null ? new Metadata() : trailers;
        Kind kind = kind(status, told);
        String message = "%s: %s".formatted(target, describe(status));
        String pushback = told.get(PUSHBACK);
        if (pushback == null) {
            Duration wait = retryInfo(told.get(DETAILS));
            return kind.exception(
                    message,
                    kind.isRetryable(),
                    wait == null ? retryAfter(told.get(RETRY_AFTER)) : wait);
        }
        Duration wait = pushback(pushback);
        return kind.exception(message, kind.isRetryable() && wait != null, wait);
    }

    private static Kind kind(Status status, Metadata trailers) {
        Kind named = ERRORS.get(String.valueOf(trailers.get(ERROR)));
        if (named != null) {
            return named;
        }
        return switch (status.getCode()) {
            case UNAVAILABLE, CANCELLED, ABORTED -> Kind.UNAVAILABLE;
            case NOT_FOUND -> Kind.MODEL_NOT_FOUND;
            case INVALID_ARGUMENT, OUT_OF_RANGE -> Kind.INVALID_TENSOR;
            case RESOURCE_EXHAUSTED -> isAboutSize(status) ? Kind.INVALID_TENSOR : Kind.OVERLOADED;
            case DEADLINE_EXCEEDED -> Kind.DEADLINE_EXCEEDED;
            case UNAUTHENTICATED, PERMISSION_DENIED -> Kind.ACCESS_DENIED;
            case OK,
                    UNKNOWN,
                    ALREADY_EXISTS,
                    FAILED_PRECONDITION,
                    UNIMPLEMENTED,
                    INTERNAL,
                    DATA_LOSS ->
                    Kind.INTERNAL;
        };
    }

    /**
     * gRPC has one status for a server with too much to do and for a message that is too large,
     * which is so the next time as well. Its implementations tell them apart in words alone.
     */
    private static boolean isAboutSize(Status status) {
        String description = String.valueOf(status.getDescription()).toLowerCase(Locale.ROOT);
        return description.contains("larger than max")
                || description.contains("exceeds maximum size");
    }

    /** A server may say anything, of any length. */
    private static String describe(Status status) {
        String description = status.getDescription();
        if (description == null && status.getCause() != null) {
            description = status.getCause().toString();
        }
        if (description == null) {
            return status.getCode().name();
        }
        String shown =
                description.length() <= LONGEST_DESCRIPTION
                        ? description
                        : description.substring(0, LONGEST_DESCRIPTION) + "…";
        return status.getCode() + ": " + shown.replaceAll("\\p{Cntrl}+", " ");
    }

    /** Null where the server does not want to be asked again, which is what nonsense means too. */
    @Nullable
    private static Duration pushback(String millis) {
        try {
            return bounded(Long.parseLong(millis.trim()));
        } catch (NumberFormatException e) {
            return null;
        }
    }

    /** As proxies of HTTP have it, in seconds; a date, or nonsense, says nothing. */
    @Nullable
    private static Duration retryAfter(@Nullable String seconds) {
        return seconds == null || !seconds.trim().matches("[0-9]{1,15}")
                ? null
                : bounded(Long.parseLong(seconds.trim()) * 1_000);
    }

    @Nullable
    private static Duration bounded(long millis) {
        return millis < 0
                ? null
                : Duration.ofMillis(Math.min(millis, LONGEST_RETRY_AFTER.toMillis()));
    }

    /** {@code google.rpc.Status}, whose third field holds {@code Any}s: a type and its bytes. */
    @Nullable
    private static Duration retryInfo(@Nullable byte[] details) {
        if (details == null) {
            return null;
        }
        try {
            for (var detail :
                    UnknownFieldSet.parseFrom(details).getField(3).getLengthDelimitedList()) {
                UnknownFieldSet any = UnknownFieldSet.parseFrom(detail);
                if (any.getField(1).getLengthDelimitedList().stream()
                        .anyMatch(type -> type.toStringUtf8().equals(RETRY_INFO))) {
                    for (var info : any.getField(2).getLengthDelimitedList()) {
                        return retryDelay(UnknownFieldSet.parseFrom(info));
                    }
                }
            }
        } catch (InvalidProtocolBufferException ignored) {
            // A hint that cannot be read is none.
        }
        return null;
    }

    @Nullable
    private static Duration retryDelay(UnknownFieldSet info) throws InvalidProtocolBufferException {
        for (var delay : info.getField(1).getLengthDelimitedList()) {
            var duration = com.google.protobuf.Duration.parseFrom(delay);
            long seconds = Math.min(duration.getSeconds(), LONGEST_RETRY_AFTER.toSeconds());
            return seconds < 0 || duration.getNanos() < 0
                    ? null
                    : bounded(seconds * 1_000 + duration.getNanos() / 1_000_000);
        }
        return null;
    }
}
