package io.asyncbatch.flink.table;

import java.time.Duration;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.MemorySize;

/**
 * Options of models whose backend is {@code 'sidecar'}, named after {@link
 * io.asyncbatch.flink.sidecar.SidecarOptions}, whose defaults and ranges they have.
 *
 * <p>A column that is not its tensor as it stands has options of its own: {@code
 * sidecar.input.<column>.tensor}, {@code .data-type} and {@code .shape}, such as {@code
 * '3,224,224'}, and the same with {@code sidecar.output}.
 */
@PublicEvolving
public final class SidecarModelOptions {

    /** Begins the options of an input column. */
    public static final String INPUT_PREFIX = "sidecar.input.";

    /** Begins the options of an output column. */
    public static final String OUTPUT_PREFIX = "sidecar.output.";

    public static final ConfigOption<String> ENDPOINT =
            ConfigOptions.key("sidecar.endpoint")
                    .stringType()
                    .noDefaultValue()
                    .withDescription("'unix:///absolute/path' or 'host:port'.");

    public static final ConfigOption<String> MODEL_NAME =
            ConfigOptions.key("sidecar.model-name")
                    .stringType()
                    .noDefaultValue()
                    .withDescription("As the server knows the model.");

    public static final ConfigOption<String> MODEL_VERSION =
            ConfigOptions.key("sidecar.model-version")
                    .stringType()
                    .noDefaultValue()
                    .withDescription("The version that must answer; else the server chooses.");

    public static final ConfigOption<Duration> REQUEST_TIMEOUT =
            ConfigOptions.key("sidecar.request-timeout")
                    .durationType()
                    .noDefaultValue()
                    .withDescription("From the sending of a request to its answer, 30 s.");

    public static final ConfigOption<Integer> MAX_IN_FLIGHT =
            ConfigOptions.key("sidecar.max-in-flight")
                    .intType()
                    .noDefaultValue()
                    .withDescription("Most requests that a subtask has at the server, 64.");

    public static final ConfigOption<Duration> READY_TIMEOUT =
            ConfigOptions.key("sidecar.ready-timeout")
                    .durationType()
                    .noDefaultValue()
                    .withDescription("How long a subtask waits for server and model, 120 s.");

    public static final ConfigOption<MemorySize> MAX_MESSAGE_BYTES =
            ConfigOptions.key("sidecar.max-message-bytes")
                    .memoryType()
                    .noDefaultValue()
                    .withDescription("Most bytes of one request or answer, 64 MiB.");

    public static final ConfigOption<Duration> KEEP_ALIVE_TIME =
            ConfigOptions.key("sidecar.keep-alive-time")
                    .durationType()
                    .noDefaultValue()
                    .withDescription(
                            "After how long without a sign of life one is asked for, 30 s.");

    public static final ConfigOption<Duration> KEEP_ALIVE_TIMEOUT =
            ConfigOptions.key("sidecar.keep-alive-timeout")
                    .durationType()
                    .noDefaultValue()
                    .withDescription("When the connection counts as dead after that, 10 s.");

    public static final ConfigOption<Duration> MAX_RECONNECT_DELAY =
            ConfigOptions.key("sidecar.max-reconnect-delay")
                    .durationType()
                    .noDefaultValue()
                    .withDescription("The longest pause between attempts to connect, 120 s.");

    public static final ConfigOption<Boolean> TLS =
            ConfigOptions.key("sidecar.tls")
                    .booleanType()
                    .defaultValue(false)
                    .withDescription("Encrypts also towards a loopback address.");

    public static final ConfigOption<Boolean> PLAINTEXT =
            ConfigOptions.key("sidecar.plaintext")
                    .booleanType()
                    .defaultValue(false)
                    .withDescription("Sends to another machine without encryption.");

    public static final ConfigOption<String> CA_FILE =
            ConfigOptions.key("sidecar.ca-file")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "PEM file at the TaskManager with the authorities that count.");

    public static final ConfigOption<String> CLIENT_CERTIFICATE_FILE =
            ConfigOptions.key("sidecar.client-certificate-file")
                    .stringType()
                    .noDefaultValue()
                    .withDescription("PEM file at the TaskManager that identifies this client.");

    public static final ConfigOption<String> CLIENT_KEY_FILE =
            ConfigOptions.key("sidecar.client-key-file")
                    .stringType()
                    .noDefaultValue()
                    .withDescription("Its key, in PKCS #8.");

    public static final ConfigOption<String> TOKEN_FROM_ENVIRONMENT =
            ConfigOptions.key("sidecar.token-from-environment")
                    .stringType()
                    .noDefaultValue()
                    .withDescription("The TaskManager's variable that holds the bearer token.");

    public static final ConfigOption<String> TOKEN_FROM_FILE =
            ConfigOptions.key("sidecar.token-from-file")
                    .stringType()
                    .noDefaultValue()
                    .withDescription("The file at the TaskManager that holds the bearer token.");

    public static final ConfigOption<MemorySize> SHARED_MEMORY_THRESHOLD =
            ConfigOptions.key("sidecar.shared-memory-threshold")
                    .memoryType()
                    .noDefaultValue()
                    .withDescription("Tensors of at least this go through shared memory, 128 KiB.");

    public static final ConfigOption<MemorySize> MAX_SHARED_MEMORY_BYTES =
            ConfigOptions.key("sidecar.max-shared-memory-bytes")
                    .memoryType()
                    .noDefaultValue()
                    .withDescription("Most shared memory of a subtask, 256 MiB; 0 for none.");

    private SidecarModelOptions() {}
}
