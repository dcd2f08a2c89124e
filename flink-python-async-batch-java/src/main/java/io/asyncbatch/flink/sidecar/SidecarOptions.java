package io.asyncbatch.flink.sidecar;

import io.asyncbatch.flink.sidecar.channel.Endpoint;
import java.io.Serializable;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import javax.annotation.Nullable;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Which model server a function calls, and how. Immutable; travels with the job graph, which is why
 * it holds names of secrets and files, never what is in them. Made by a {@link #builder builder},
 * which refuses what is out of range or contradicts itself.
 */
@PublicEvolving
public final class SidecarOptions implements Serializable {

    private static final long serialVersionUID = 1L;

    /** Most memory that one region can have: what one mapping of Java's can hold. */
    public static final long LARGEST_SHARED_MEMORY_BYTES = (2L << 30) - 4096;

    private final Endpoint endpoint;
    private final String modelName;
    @Nullable private final String modelVersion;
    private final Duration requestTimeout;
    private final int maxInFlight;
    private final Duration readyTimeout;
    private final int maxMessageBytes;
    private final Duration keepAliveTime;
    private final Duration keepAliveTimeout;
    private final Duration maxReconnectDelay;
    private final boolean tls;
    @Nullable private final String caFile;
    @Nullable private final String clientCertificateFile;
    @Nullable private final String clientKeyFile;
    @Nullable private final String tokenVariable;
    @Nullable private final String tokenFile;
    private final long sharedMemoryThreshold;
    private final long maxSharedMemoryBytes;
    private final boolean drainAtCheckpoint;

    private SidecarOptions(Builder builder) {
        endpoint = builder.endpoint;
        modelName = builder.modelName;
        modelVersion = builder.modelVersion;
        requestTimeout = builder.requestTimeout;
        maxInFlight = builder.maxInFlight;
        readyTimeout = builder.readyTimeout;
        maxMessageBytes = builder.maxMessageBytes;
        keepAliveTime = builder.keepAliveTime;
        keepAliveTimeout = builder.keepAliveTimeout;
        maxReconnectDelay = builder.maxReconnectDelay;
        tls = builder.usesTls();
        caFile = builder.caFile;
        clientCertificateFile = builder.clientCertificateFile;
        clientKeyFile = builder.clientKeyFile;
        tokenVariable = builder.tokenVariable;
        tokenFile = builder.tokenFile;
        sharedMemoryThreshold =
                Objects.requireNonNullElse(
                        builder.sharedMemoryThreshold, Builder.DEFAULT_SHARED_MEMORY_THRESHOLD);
        maxSharedMemoryBytes =
                !endpoint.isUnix()
                        ? 0
                        : Objects.requireNonNullElse(
                                builder.maxSharedMemoryBytes,
                                Builder.DEFAULT_MAX_SHARED_MEMORY_BYTES);
        drainAtCheckpoint = builder.drainAtCheckpoint;
    }

    /**
     * Begins with what has no default.
     *
     * @param endpoint {@code unix:///absolute/path}, the path of at most 107 bytes, or {@code
     *     host:port}
     * @param modelName as the server knows it
     */
    public static Builder builder(String endpoint, String modelName) {
        return new Builder(endpoint, modelName);
    }

    public Endpoint endpoint() {
        return endpoint;
    }

    public String modelName() {
        return modelName;
    }

    /** Empty where the server chooses. */
    public Optional<String> modelVersion() {
        return Optional.ofNullable(modelVersion);
    }

    public Duration requestTimeout() {
        return requestTimeout;
    }

    public int maxInFlight() {
        return maxInFlight;
    }

    public Duration readyTimeout() {
        return readyTimeout;
    }

    public int maxMessageBytes() {
        return maxMessageBytes;
    }

    public Duration keepAliveTime() {
        return keepAliveTime;
    }

    public Duration keepAliveTimeout() {
        return keepAliveTimeout;
    }

    public Duration maxReconnectDelay() {
        return maxReconnectDelay;
    }

    /** Whether the connection is encrypted. */
    public boolean usesTls() {
        return tls;
    }

    /** Empty where the JVM's certificate authorities count. */
    public Optional<String> caFile() {
        return Optional.ofNullable(caFile);
    }

    public Optional<String> clientCertificateFile() {
        return Optional.ofNullable(clientCertificateFile);
    }

    public Optional<String> clientKeyFile() {
        return Optional.ofNullable(clientKeyFile);
    }

    /** The environment variable of the TaskManager that holds the token. */
    public Optional<String> tokenVariable() {
        return Optional.ofNullable(tokenVariable);
    }

    /** The file at the TaskManager that holds the token. */
    public Optional<String> tokenFile() {
        return Optional.ofNullable(tokenFile);
    }

    public long sharedMemoryThreshold() {
        return sharedMemoryThreshold;
    }

    /** 0 where no memory is shared. */
    public long maxSharedMemoryBytes() {
        return maxSharedMemoryBytes;
    }

    public boolean drainAtCheckpoint() {
        return drainAtCheckpoint;
    }

    /** Names the server and the model. */
    @Override
    public String toString() {
        return "model '%s'%s at %s"
                .formatted(
                        modelName,
                        modelVersion == null ? "" : " version '" + modelVersion + "'",
                        endpoint);
    }

    /** Collects options. Not thread-safe. */
    public static final class Builder {

        private static final long DEFAULT_SHARED_MEMORY_THRESHOLD = 128L * 1024;
        private static final long DEFAULT_MAX_SHARED_MEMORY_BYTES = 256L * 1024 * 1024;

        /** gRPC raises what is less, so that pings do not look like an attack. */
        private static final Duration SHORTEST_KEEP_ALIVE_TIME = Duration.ofSeconds(10);

        private static final Duration GRPC_FIRST_RECONNECT_DELAY = Duration.ofSeconds(1);
        private static final Duration GRPC_LONGEST_RECONNECT_DELAY = Duration.ofSeconds(120);
        private static final Duration LONGEST = Duration.ofDays(1);
        private static final int SMALLEST_MESSAGE = 1024;

        private final Endpoint endpoint;
        private final String modelName;
        private String modelVersion;
        private Duration requestTimeout = Duration.ofSeconds(30);
        private int maxInFlight = 64;
        private Duration readyTimeout = Duration.ofSeconds(120);
        private int maxMessageBytes = 64 * 1024 * 1024;
        private Duration keepAliveTime = Duration.ofSeconds(30);
        private Duration keepAliveTimeout = Duration.ofSeconds(10);
        private Duration maxReconnectDelay = GRPC_LONGEST_RECONNECT_DELAY;
        private boolean tls;
        private boolean plaintext;
        private String caFile;
        private String clientCertificateFile;
        private String clientKeyFile;
        private String tokenVariable;
        private String tokenFile;
        private Long sharedMemoryThreshold;
        private Long maxSharedMemoryBytes;
        private boolean drainAtCheckpoint;

        private Builder(String endpoint, String modelName) {
            this.endpoint = Endpoint.parse(Objects.requireNonNull(endpoint, "endpoint"));
            this.modelName = requireText("modelName", modelName);
        }

        /** The version that must answer. By default the server chooses, and may change it. */
        public Builder modelVersion(String value) {
            modelVersion = requireText("modelVersion", value);
            return this;
        }

        /** From the sending of a request to its answer, 30 s by default; 1 ms to 1 day. */
        public Builder requestTimeout(Duration value) {
            requestTimeout = requireWithin("requestTimeout", value, Duration.ofMillis(1), LONGEST);
            return this;
        }

        /**
         * Most requests that a subtask has at the server, 64 by default. More wait in their order.
         */
        public Builder maxInFlight(int value) {
            if (value < 1) {
                throw new IllegalArgumentException("maxInFlight must be positive, got " + value);
            }
            maxInFlight = value;
            return this;
        }

        /** How long a subtask waits for server and model when it starts, 120 s by default. */
        public Builder readyTimeout(Duration value) {
            readyTimeout = requireWithin("readyTimeout", value, Duration.ofMillis(1), LONGEST);
            return this;
        }

        /** Most bytes of one request or answer, 64 MiB by default; at least 1024. */
        public Builder maxMessageBytes(int value) {
            if (value < SMALLEST_MESSAGE) {
                throw new IllegalArgumentException(
                        "maxMessageBytes must be at least " + SMALLEST_MESSAGE + ", got " + value);
            }
            maxMessageBytes = value;
            return this;
        }

        /**
         * While requests are in flight and nothing comes, the server is asked for a sign of life.
         *
         * @param time after how long without one, 30 s by default, at least 10 s
         * @param timeout when the connection counts as dead after that, 10 s by default
         */
        public Builder keepAlive(Duration time, Duration timeout) {
            keepAliveTime = requireWithin("keepAliveTime", time, SHORTEST_KEEP_ALIVE_TIME, LONGEST);
            keepAliveTimeout =
                    requireWithin("keepAliveTimeout", timeout, Duration.ofMillis(1), LONGEST);
            return this;
        }

        /**
         * The longest pause between attempts to connect, 1 s to 120 s. Pauses follow gRPC's
         * connection back-off: 1 s, then 1.6 times the one before, each 20% more or less by chance,
         * up to 120 s.
         */
        public Builder maxReconnectDelay(Duration value) {
            maxReconnectDelay =
                    requireWithin(
                            "maxReconnectDelay",
                            value,
                            GRPC_FIRST_RECONNECT_DELAY,
                            GRPC_LONGEST_RECONNECT_DELAY);
            return this;
        }

        /**
         * Encrypts also towards a loopback address. Other hosts are always encrypted, unless {@link
         * #plaintext} says otherwise.
         */
        public Builder tls() {
            tls = true;
            return this;
        }

        /**
         * The PEM file at the TaskManager with the authorities that count, instead of the JVM's.
         */
        public Builder caFile(String path) {
            caFile = requireText("caFile", path);
            return tls();
        }

        /** The PEM files at the TaskManager that identify this client, the key in PKCS #8. */
        public Builder clientCertificate(String certificateFile, String keyFile) {
            clientCertificateFile = requireText("clientCertificateFile", certificateFile);
            clientKeyFile = requireText("clientKeyFile", keyFile);
            return tls();
        }

        /** Sends to another machine without encryption: anyone in between reads and changes it. */
        public Builder plaintext() {
            plaintext = true;
            return this;
        }

        /** Sends the bearer token that this environment variable of the TaskManager holds. */
        public Builder tokenFromEnvironment(String variable) {
            tokenVariable = requireText("tokenFromEnvironment", variable);
            return this;
        }

        /**
         * Sends the bearer token that this file at the TaskManager holds; read again at most once a
         * minute, as mounted tokens are replaced.
         */
        public Builder tokenFromFile(String path) {
            tokenFile = requireText("tokenFromFile", path);
            return this;
        }

        /**
         * Tensors of at least this many bytes go through shared memory, 128 KiB by default; at
         * least 1. For Unix sockets only.
         */
        public Builder sharedMemoryThreshold(long value) {
            if (value < 1) {
                throw new IllegalArgumentException(
                        "sharedMemoryThreshold must be positive, got " + value);
            }
            sharedMemoryThreshold = value;
            return this;
        }

        /**
         * Most shared memory of a subtask, 256 MiB by default; 0 shares none. Taken only as far as
         * it is used. For Unix sockets only.
         */
        public Builder maxSharedMemoryBytes(long value) {
            if (value < 0 || value > LARGEST_SHARED_MEMORY_BYTES) {
                throw new IllegalArgumentException(
                        "maxSharedMemoryBytes must be 0 to %d, got %d"
                                .formatted(LARGEST_SHARED_MEMORY_BYTES, value));
            }
            maxSharedMemoryBytes = value;
            return this;
        }

        /**
         * A checkpoint waits until the requests in flight are answered, at most for one request
         * timeout. By default it does not: what was not answered is in the state. Of functions for
         * single records; for batches it is an option of {@link
         * io.asyncbatch.flink.AsyncBatchOptions}.
         */
        public Builder drainAtCheckpoint(boolean value) {
            drainAtCheckpoint = value;
            return this;
        }

        /**
         * @throws IllegalArgumentException if options contradict each other
         */
        public SidecarOptions build() {
            if (endpoint.isUnix()) {
                requireTcp("TLS", tls);
                requireTcp("plaintext", plaintext);
                requireTcp("a token", tokenVariable != null || tokenFile != null);
            } else {
                requireUnix("sharedMemoryThreshold", sharedMemoryThreshold != null);
                requireUnix("maxSharedMemoryBytes", maxSharedMemoryBytes != null);
            }
            if (tls && plaintext) {
                throw new IllegalArgumentException("plaintext and TLS exclude each other");
            }
            if (tokenVariable != null && tokenFile != null) {
                throw new IllegalArgumentException(
                        "tokenFromEnvironment and tokenFromFile exclude each other");
            }
            if (plaintext && !endpoint.isLocal() && (tokenVariable != null || tokenFile != null)) {
                throw new IllegalArgumentException(
                        "a token cannot go to " + endpoint + " in plaintext; use TLS");
            }
            return new SidecarOptions(this);
        }

        private boolean usesTls() {
            return tls || !(plaintext || endpoint.isLocal());
        }

        private void requireTcp(String option, boolean set) {
            if (set) {
                throw new IllegalArgumentException(
                        option + " is for TCP, and the endpoint is " + endpoint);
            }
        }

        private void requireUnix(String option, boolean set) {
            if (set) {
                throw new IllegalArgumentException(
                        option + " is for Unix sockets, and the endpoint is " + endpoint);
            }
        }

        private static String requireText(String option, String value) {
            Objects.requireNonNull(value, option);
            if (value.isBlank()) {
                throw new IllegalArgumentException(option + " must not be blank");
            }
            return value;
        }

        private static Duration requireWithin(
                String option, Duration value, Duration least, Duration most) {
            Objects.requireNonNull(value, option);
            if (value.compareTo(least) < 0 || value.compareTo(most) > 0) {
                throw new IllegalArgumentException(
                        "%s must be %s to %s, got %s".formatted(option, least, most, value));
            }
            return value;
        }
    }
}
