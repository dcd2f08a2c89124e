package io.asyncbatch.flink.batchapi.client;

import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.UnaryOperator;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.ReadableConfig;

/**
 * Says where a TaskManager finds the API's key, without holding it: the job graph is stored, and
 * shown to whoever may look at the job. Immutable.
 */
@Internal
public final class Credentials implements Serializable {

    private static final long serialVersionUID = 1L;

    /** Read from the TaskManager's configuration only. Flink redacts it by its name. */
    public static final ConfigOption<String> API_KEY =
            ConfigOptions.key("ml.batch.api-key")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The Batch API's key, in the configuration of the TaskManagers;"
                                    + " never in that of a job.");

    private final String environmentVariable;
    @Nullable private final String file;

    public Credentials(String environmentVariable, @Nullable String file) {
        this.environmentVariable = environmentVariable;
        this.file = file;
    }

    /**
     * The key: from the file if one was named, else from the environment, else from the
     * TaskManager's configuration.
     *
     * @throws IOException if the file cannot be read, or what was found cannot be a key
     */
    Optional<String> key(ReadableConfig taskManager, UnaryOperator<String> environment)
            throws IOException {
        String found;
        String place;
        if (file != null) {
            found = Files.readString(Path.of(file));
            place = "the file '" + file + "'";
        } else if (environment.apply(environmentVariable) != null) {
            found = environment.apply(environmentVariable);
            place = "the environment variable " + environmentVariable;
        } else {
            found = taskManager.getOptional(API_KEY).orElse(null);
            place = "the TaskManager's " + API_KEY.key();
        }
        if (found == null) {
            return Optional.empty();
        }
        String key = found.strip();
        if (key.isEmpty() || !key.chars().allMatch(c -> c > ' ' && c < 127)) {
            throw new IOException(
                    "the Batch API's key in " + place + " must be printable characters of ASCII");
        }
        return Optional.of(key);
    }
}
