package io.asyncbatch.flink.table;

import java.time.Duration;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.DescribedEnum;
import org.apache.flink.configuration.description.InlineElement;
import org.apache.flink.configuration.description.TextElement;

/**
 * Options of every model whose provider is {@code 'async-batch'}. Those of one backend begin with
 * its name: {@link SidecarModelOptions}, {@link PythonModelOptions}.
 *
 * <p>{@link #BATCH_SIZE} and {@link #BATCH_TIMEOUT} may also be given for one call, in the MAP of
 * {@code ML_PREDICT}, beside Flink's own {@code async}, {@code output-mode}, {@code
 * max-concurrent-operations} and {@code timeout}.
 */
@PublicEvolving
public final class AsyncBatchModelOptions {

    /** What computes the batches. */
    public enum Backend implements DescribedEnum {
        SIDECAR("sidecar", "A model server that speaks the Open Inference Protocol."),
        PYTHON("python", "A function of the Python API, in a worker of its own."),
        BATCH_API("batch-api", "A provider's Batch API. Refused: no call of ML_PREDICT can wait.");

        private final String name;
        private final String description;

        Backend(String name, String description) {
            this.name = name;
            this.description = description;
        }

        @Override
        public InlineElement getDescription() {
            return TextElement.text(description);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    /** Which failed calls are repeated, and when. The first two are Flink's. */
    public enum RetryStrategy implements DescribedEnum {
        NO_RETRY("A failed call fails the job."),
        FIXED_DELAY("A failed call is repeated after the delay."),
        EXPONENTIAL_DELAY("Each delay is twice the one before.");

        private final String description;

        RetryStrategy(String description) {
            this.description = description;
        }

        @Override
        public InlineElement getDescription() {
            return TextElement.text(description);
        }
    }

    public static final ConfigOption<Backend> BACKEND =
            ConfigOptions.key("backend")
                    .enumType(Backend.class)
                    .noDefaultValue()
                    .withDescription("What computes the batches.");

    public static final ConfigOption<Integer> BATCH_SIZE =
            ConfigOptions.key("batch-size")
                    .intType()
                    .defaultValue(10)
                    .withDescription(
                            "Most rows of one batch. At most 'max-concurrent-operations', which"
                                    + " bounds the rows that ML_PREDICT has in flight.");

    public static final ConfigOption<Duration> BATCH_TIMEOUT =
            ConfigOptions.key("batch-timeout")
                    .durationType()
                    .defaultValue(Duration.ofMillis(50))
                    .withDescription(
                            "How long the first row of a batch waits at most for the others. There"
                                    + " is always such a bound: ML_PREDICT does not say when its"
                                    + " input ends.");

    public static final ConfigOption<Duration> TIMEOUT =
            ConfigOptions.key("timeout")
                    .durationType()
                    .noDefaultValue()
                    .withDescription(
                            "How long one batch may take from its dispatch, over all attempts. Then"
                                    + " its call is cancelled, and what handles timeouts gives"
                                    + " results or fails the job. By default only the timeout of"
                                    + " ML_PREDICT counts, which fails the job.");

    public static final ConfigOption<RetryStrategy> RETRY_STRATEGY =
            ConfigOptions.key("retry-strategy")
                    .enumType(RetryStrategy.class)
                    .defaultValue(RetryStrategy.NO_RETRY)
                    .withDescription("Whether and when failed calls are repeated.");

    public static final ConfigOption<Duration> RETRY_DELAY =
            ConfigOptions.key("retry-delay")
                    .durationType()
                    .defaultValue(Duration.ofMillis(100))
                    .withDescription("Before the first repetition.");

    public static final ConfigOption<Duration> RETRY_MAX_DELAY =
            ConfigOptions.key("retry-max-delay")
                    .durationType()
                    .defaultValue(Duration.ofSeconds(10))
                    .withDescription("EXPONENTIAL_DELAY grows no further than this.");

    public static final ConfigOption<Integer> MAX_ATTEMPTS =
            ConfigOptions.key("max-attempts")
                    .intType()
                    .defaultValue(3)
                    .withDescription("How often a call is repeated at most, as Flink counts.");

    private AsyncBatchModelOptions() {}
}
