package io.asyncbatch.flink.batchapi;

import io.asyncbatch.flink.batchapi.client.BatchApiFactory;
import io.asyncbatch.flink.batchapi.client.Credentials;
import io.asyncbatch.flink.batchapi.client.Endpoint;
import io.asyncbatch.flink.batchapi.client.HttpBatchApiFactory;
import java.io.Serializable;
import java.time.Duration;
import org.apache.flink.annotation.Internal;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.ReadableConfig;

/**
 * How rows go through a Batch API. Immutable; made by a {@link #builder builder} or {@linkplain
 * #fromConfiguration from a configuration}, which refuse a value out of range by the option's name.
 * It holds no key: the TaskManagers find that where {@link #API_KEY_ENV} and {@link #API_KEY_FILE}
 * say, or in their own configuration.
 */
@PublicEvolving
public final class BatchInferenceOptions implements Serializable {

    private static final long serialVersionUID = 1L;

    /** Which requests the API understands. */
    @PublicEvolving
    public enum ApiShape {
        /** Files, batches, and files of results and errors, as OpenAI has them. */
        OPENAI,
        /** {@code POST ml/api/batch_predict} and {@code GET ml/api/batch/status/<id>}. */
        SIMPLE
    }

    /** What becomes of a row that has no result after all attempts. */
    @PublicEvolving
    public enum OnFailure {
        /** The job fails. */
        FAIL,
        /** The row goes to the side output; see {@link BatchInference#failedRows}. */
        SIDE_OUTPUT
    }

    public static final ConfigOption<Boolean> ENABLED =
            ConfigOptions.key("ml.batch.enabled")
                    .booleanType()
                    .defaultValue(false)
                    .withDescription("Whether a configuration asks for a Batch API at all.");

    public static final ConfigOption<Integer> SIZE =
            ConfigOptions.key("ml.batch.size")
                    .intType()
                    .defaultValue(10)
                    .withDescription(
                            "Most rows of a batch. What is more than the API takes in a file is"
                                    + " split.");

    public static final ConfigOption<String> ENDPOINT =
            ConfigOptions.key("ml.batch.api.endpoint")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The API's address, such as https://api.openai.com/v1. Required.");

    public static final ConfigOption<Duration> POLL_INTERVAL =
            ConfigOptions.key("ml.batch.poll.interval")
                    .durationType()
                    .defaultValue(Duration.ofSeconds(10))
                    .withDescription(
                            "About how long to wait before asking again how far a job is; a fifth"
                                    + " more or less, by chance.");

    public static final ConfigOption<String> LOCAL_DIR =
            ConfigOptions.key("ml.batch.local.dir")
                    .stringType()
                    .defaultValue("/tmp/flink_batches")
                    .withDescription(
                            "Directory of the TaskManager's own user, in which each subtask makes"
                                    + " one of its own.");

    public static final ConfigOption<Duration> MAX_WAIT =
            ConfigOptions.key("ml.batch.max.wait")
                    .durationType()
                    .defaultValue(Duration.ofMinutes(10))
                    .withDescription(
                            "How long a job may run. Then it is cancelled, what it has computed is"
                                    + " kept and the rest counts as failed. Give 24 h or more to a"
                                    + " provider that promises no less.");

    public static final ConfigOption<String> BATCH_NUMBER =
            ConfigOptions.key("batch_number")
                    .stringType()
                    .defaultValue("batch-{subtask}-{number}")
                    .withDescription(
                            "What people know a batch by, in the job's metadata and the file's"
                                    + " name: letters, digits, '.', '_' and '-', with {job_id},"
                                    + " {subtask} and {number}.");

    public static final ConfigOption<Duration> FILL_TIME =
            ConfigOptions.key("ml.batch.fill.time")
                    .durationType()
                    .defaultValue(Duration.ofMinutes(1))
                    .withDescription("How long after its first row a batch closes at the latest.");

    public static final ConfigOption<Integer> MAX_JOBS =
            ConfigOptions.key("ml.batch.max.jobs")
                    .intType()
                    .defaultValue(100)
                    .withDescription("Most jobs of a subtask that the API has at a time.");

    public static final ConfigOption<Integer> MAX_RESUBMISSIONS =
            ConfigOptions.key("ml.batch.max.resubmissions")
                    .intType()
                    .defaultValue(2)
                    .withDescription("How often a row that failed or expired is submitted again.");

    public static final ConfigOption<OnFailure> ON_FAILURE =
            ConfigOptions.key("ml.batch.on.failure")
                    .enumType(OnFailure.class)
                    .defaultValue(OnFailure.FAIL)
                    .withDescription("What becomes of a row that failed as often as allowed.");

    public static final ConfigOption<ApiShape> API_SHAPE =
            ConfigOptions.key("ml.batch.api.shape")
                    .enumType(ApiShape.class)
                    .defaultValue(ApiShape.OPENAI)
                    .withDescription("Which requests the API understands.");

    public static final ConfigOption<String> REQUEST_URL =
            ConfigOptions.key("ml.batch.api.request-url")
                    .stringType()
                    .defaultValue("/v1/chat/completions")
                    .withDescription("What each request is for; of OpenAI's shape.");

    public static final ConfigOption<Duration> REQUEST_TIMEOUT =
            ConfigOptions.key("ml.batch.api.timeout")
                    .durationType()
                    .defaultValue(Duration.ofMinutes(1))
                    .withDescription(
                            "Deadline of a call to the API; the transfer of a file has ten times as"
                                    + " long.");

    public static final ConfigOption<Integer> MAX_RETRIES =
            ConfigOptions.key("ml.batch.api.max-retries")
                    .intType()
                    .defaultValue(10)
                    .withDescription(
                            "How often a call that failed in passing is repeated before the task"
                                    + " fails.");

    public static final ConfigOption<Duration> RETRY_DELAY =
            ConfigOptions.key("ml.batch.api.retry-delay")
                    .durationType()
                    .defaultValue(Duration.ofSeconds(1))
                    .withDescription(
                            "Bound of the delay before the first repetition, which doubles with"
                                    + " each up to two minutes; the delay is drawn up to it.");

    public static final ConfigOption<MemorySize> MAX_RESULT_SIZE =
            ConfigOptions.key("ml.batch.api.max-result-size")
                    .memoryType()
                    .defaultValue(MemorySize.ofMebiBytes(1024))
                    .withDescription("Most that one file of results may have.");

    public static final ConfigOption<Boolean> SUBMIT_AFTER_CHECKPOINT =
            ConfigOptions.key("ml.batch.submit.after-checkpoint")
                    .booleanType()
                    .defaultValue(true)
                    .withDescription(
                            "Whether a batch waits for a checkpoint that holds it before it is"
                                    + " submitted, so that no failure can have it paid twice. No"
                                    + " matter where checkpointing is off.");

    public static final ConfigOption<String> RESULTS_TOPIC =
            ConfigOptions.key("ml.batch.results.topic")
                    .stringType()
                    .defaultValue("")
                    .withDescription(
                            "What a submitter tells the collector about where results are wanted.");

    public static final ConfigOption<String> API_KEY_ENV =
            ConfigOptions.key("ml.batch.api-key.env")
                    .stringType()
                    .defaultValue("ML_BATCH_API_KEY")
                    .withDescription(
                            "Name of the TaskManagers' environment variable with the API's key."
                                    + " Without it, ml.batch.api-key of the TaskManagers'"
                                    + " configuration counts.");

    public static final ConfigOption<String> API_KEY_FILE =
            ConfigOptions.key("ml.batch.api-key.file")
                    .stringType()
                    .noDefaultValue()
                    .withDescription("File of the TaskManagers with the API's key.");

    private static final int MOST_NUMBER_CHARACTERS = 64;

    /** In no instance is a key: the builder knows none. */
    private final Configuration values;

    private BatchInferenceOptions(Configuration values) {
        this.values = values;
    }

    /**
     * Begins with what has no default.
     *
     * @param endpoint the API's address; HTTPS unless it is on this machine
     */
    public static Builder builder(String endpoint) {
        Builder builder = new Builder();
        builder.values.set(ENDPOINT, endpoint);
        return builder;
    }

    /**
     * Takes the options of a configuration.
     *
     * @throws IllegalArgumentException if {@link #ENABLED} is not true or an option is refused
     */
    public static BatchInferenceOptions fromConfiguration(ReadableConfig configuration) {
        if (!configuration.get(ENABLED)) {
            throw new IllegalArgumentException(
                    ENABLED.key() + " must be true where a Batch API is wanted, got false");
        }
        if (configuration.getOptional(Credentials.API_KEY).isPresent()) {
            throw new IllegalArgumentException(
                    Credentials.API_KEY.key()
                            + " must not be in the configuration of a job, which is stored and"
                            + " shown; put it into that of the TaskManagers, or see "
                            + API_KEY_ENV.key());
        }
        Builder builder = new Builder();
        for (ConfigOption<?> option :
                new ConfigOption<?>[] {
                    SIZE,
                    ENDPOINT,
                    POLL_INTERVAL,
                    LOCAL_DIR,
                    MAX_WAIT,
                    BATCH_NUMBER,
                    FILL_TIME,
                    MAX_JOBS,
                    MAX_RESUBMISSIONS,
                    ON_FAILURE,
                    API_SHAPE,
                    REQUEST_URL,
                    REQUEST_TIMEOUT,
                    MAX_RETRIES,
                    RETRY_DELAY,
                    MAX_RESULT_SIZE,
                    SUBMIT_AFTER_CHECKPOINT,
                    RESULTS_TOPIC,
                    API_KEY_ENV,
                    API_KEY_FILE
                }) {
            builder.take(option, configuration);
        }
        return builder.build();
    }

    public <T> T get(ConfigOption<T> option) {
        return values.get(option);
    }

    /**
     * Refuses what would be set in vain.
     *
     * @param user what has no use for it
     * @throws IllegalArgumentException if one of the options was set, whatever its value
     */
    void refuse(String user, ConfigOption<?>... useless) {
        for (ConfigOption<?> option : useless) {
            if (values.getOptional(option).isPresent()) {
                throw new IllegalArgumentException(
                        option.key() + " means nothing to " + user + "; leave it out");
            }
        }
    }

    /** The client that these options describe. */
    @Internal
    public BatchApiFactory apiFactory() {
        return new HttpBatchApiFactory(
                HttpBatchApiFactory.Shape.valueOf(get(API_SHAPE).name()),
                Endpoint.of(ENDPOINT.key(), get(ENDPOINT)),
                get(REQUEST_URL),
                new Credentials(get(API_KEY_ENV), get(API_KEY_FILE)),
                get(REQUEST_TIMEOUT),
                get(MAX_RESULT_SIZE).getBytes());
    }

    /** Collects options. Not thread-safe. */
    public static final class Builder {

        private final Configuration values = new Configuration();

        private Builder() {}

        /** Sets any of the options of this class. */
        public <T> Builder set(ConfigOption<T> option, T value) {
            values.set(option, value);
            return this;
        }

        private <T> void take(ConfigOption<T> option, ReadableConfig from) {
            from.getOptional(option).ifPresent(value -> values.set(option, value));
        }

        /**
         * @throws IllegalArgumentException if an option is out of its range
         */
        public BatchInferenceOptions build() {
            if (values.getOptional(ENDPOINT).isEmpty()) {
                throw new IllegalArgumentException(ENDPOINT.key() + " is required");
            }
            requireAtLeast(SIZE, 1);
            requireAtLeast(MAX_JOBS, 1);
            requireAtLeast(MAX_RESUBMISSIONS, 0);
            requireAtLeast(MAX_RETRIES, 0);
            requireMillisecond(POLL_INTERVAL);
            requireMillisecond(MAX_WAIT);
            requireMillisecond(FILL_TIME);
            requireMillisecond(REQUEST_TIMEOUT);
            requireMillisecond(RETRY_DELAY);
            requireNumberTemplate();
            if (!values.get(REQUEST_URL).matches("/[A-Za-z0-9/_.-]*")) {
                throw new IllegalArgumentException(
                        REQUEST_URL.key()
                                + " must be a path such as /v1/chat/completions, got '"
                                + values.get(REQUEST_URL)
                                + "'");
            }
            if (!values.get(RESULTS_TOPIC).matches("[A-Za-z0-9._-]{0,249}")) {
                throw new IllegalArgumentException(
                        RESULTS_TOPIC.key()
                                + " must be a topic's name: at most 249 letters, digits, '.', '_'"
                                + " and '-', got '"
                                + values.get(RESULTS_TOPIC)
                                + "'");
            }
            BatchInferenceOptions options = new BatchInferenceOptions(new Configuration(values));
            options.apiFactory();
            return options;
        }

        private void requireAtLeast(ConfigOption<Integer> option, int least) {
            if (values.get(option) < least) {
                throw new IllegalArgumentException(
                        option.key()
                                + " must be at least "
                                + least
                                + ", got "
                                + values.get(option));
            }
        }

        private void requireMillisecond(ConfigOption<Duration> option) {
            Duration value = values.get(option);
            if (value.compareTo(Duration.ofMillis(1)) < 0
                    || value.compareTo(Duration.ofDays(365)) > 0) {
                throw new IllegalArgumentException(
                        option.key() + " must be between 1 ms and 365 days, got " + value);
            }
        }

        /** It becomes part of a file's name at the provider, and of log lines here. */
        private void requireNumberTemplate() {
            String template = values.get(BATCH_NUMBER);
            String literal = template.replaceAll("\\{(job_id|subtask|number)}", "");
            if (!literal.matches("[A-Za-z0-9._-]*")
                    || template.contains("..")
                    || template.length() > MOST_NUMBER_CHARACTERS
                    || !template.contains("{subtask}")
                    || !template.contains("{number}")) {
                throw new IllegalArgumentException(
                        BATCH_NUMBER.key()
                                + " must hold {subtask} and {number}, and else only {job_id},"
                                + " letters, digits, '_', '-' and single dots, at most "
                                + MOST_NUMBER_CHARACTERS
                                + " characters, got '"
                                + template
                                + "'");
            }
        }
    }
}
