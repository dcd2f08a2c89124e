package io.asyncbatch.flink.table;

import java.time.Duration;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.MemorySize;

/**
 * Options of models whose backend is {@code 'python'}. Interpreter, files, archives and
 * requirements are PyFlink's own options, such as {@code python.executable} and {@code
 * python.files}, and are set for the session.
 */
@PublicEvolving
public final class PythonModelOptions {

    /** Whose worker runs the function. */
    public static final String OWN_WORKER = "own";

    /** See {@link #WORKER}. */
    public static final String SHARED_WORKER = "shared";

    public static final ConfigOption<String> FUNCTION =
            ConfigOptions.key("python.function")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "'module:Class', a class that extends AsyncBatchFunction and is made"
                                    + " without arguments, or 'module:object', an instance of one."
                                    + " Workers import the module.");

    public static final ConfigOption<Duration> OPEN_TIMEOUT =
            ConfigOptions.key("python.open-timeout")
                    .durationType()
                    .defaultValue(Duration.ofMinutes(10))
                    .withDescription("How long a worker may take to start and to open.");

    public static final ConfigOption<MemorySize> MAX_FRAME_BYTES =
            ConfigOptions.key("python.max-frame-bytes")
                    .memoryType()
                    .defaultValue(MemorySize.ofMebiBytes(64))
                    .withDescription("Most bytes of one batch, or of its results, encoded.");

    public static final ConfigOption<MemorySize> SHARED_MEMORY_THRESHOLD =
            ConfigOptions.key("python.shared-memory-threshold")
                    .memoryType()
                    .defaultValue(MemorySize.parse("128kb"))
                    .withDescription(
                            "Batches of at least this many bytes go through shared memory.");

    public static final ConfigOption<String> WORKER =
            ConfigOptions.key("python.worker")
                    .stringType()
                    .defaultValue(OWN_WORKER)
                    .withDescription(
                            "'own' for a worker of each subtask, 'shared' for one that all"
                                    + " subtasks in a TaskManager share.");

    private PythonModelOptions() {}
}
