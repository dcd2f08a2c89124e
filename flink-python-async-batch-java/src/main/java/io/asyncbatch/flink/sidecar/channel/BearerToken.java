package io.asyncbatch.flink.sidecar.channel;

import io.asyncbatch.flink.sidecar.SidecarException;
import io.asyncbatch.flink.sidecar.SidecarException.Kind;
import io.asyncbatch.flink.sidecar.SidecarOptions;
import io.grpc.Metadata;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import javax.annotation.Nullable;

/**
 * The token that this client shows to the server, from the TaskManager's environment or a file of
 * its. Thread-safe.
 */
final class BearerToken {

    static final Metadata.Key<String> AUTHORIZATION =
            Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

    private static final long FILE_IS_FRESH_NANOS = TimeUnit.MINUTES.toNanos(1);

    @Nullable private final String variable;
    @Nullable private final Path file;
    private final Map<String, String> environment;
    private final LongSupplier nanoTime;
    private String token;
    private long readNanos;

    BearerToken(SidecarOptions options, Map<String, String> environment, LongSupplier nanoTime) {
        this.variable = options.tokenVariable().orElse(null);
        this.file = options.tokenFile().map(Path::of).orElse(null);
        this.environment = environment;
        this.nanoTime = nanoTime;
    }

    /**
     * The headers of a call.
     *
     * @throws SidecarException if there is no token where there should be one
     */
    synchronized Metadata headers() throws SidecarException {
        Metadata headers = new Metadata();
        if (variable != null || file != null) {
            long now = nanoTime.getAsLong();
            if (token == null || (file != null && now - readNanos > FILE_IS_FRESH_NANOS)) {
                token = read();
                readNanos = now;
            }
            headers.put(AUTHORIZATION, "Bearer " + token);
        }
        return headers;
    }

    private String read() throws SidecarException {
        String value;
        String place;
        if (variable != null) {
            place = "the environment variable " + variable;
            value = environment.get(variable);
        } else {
            place = "the file " + file;
            try {
                value = Files.readString(file, StandardCharsets.US_ASCII);
            } catch (IOException e) {
                throw Kind.ACCESS_DENIED.exception("cannot read the token in " + place);
            }
        }
        if (value == null || value.isBlank()) {
            throw Kind.ACCESS_DENIED.exception("there is no token in " + place);
        }
        String stripped = value.strip();
        // What a header cannot hold would be in gRPC's error message.
        if (stripped.chars().anyMatch(c -> c <= ' ' || c > '~')) {
            throw Kind.ACCESS_DENIED.exception("what is in " + place + " is no token");
        }
        return stripped;
    }
}
