package io.asyncbatch.flink.worker;

import java.util.Map;
import org.apache.beam.sdk.options.PipelineOptions;
import org.apache.beam.sdk.options.PipelineOptionsFactory;
import org.apache.beam.sdk.options.SdkHarnessOptions;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.ReadableConfig;

/**
 * The log levels of a worker, from Flink's options. Defined here by the keys that Flink 2.3 gives
 * them: the {@code PythonOptions} of Flink 2.2 lack them. Stateless.
 */
final class PythonLogLevels {

    static final ConfigOption<String> DEFAULT_LEVEL =
            ConfigOptions.key("python.logging.default.level").stringType().defaultValue("INFO");

    static final ConfigOption<Map<String, String>> OVERRIDES =
            ConfigOptions.key("python.logging.level.overrides").mapType().noDefaultValue();

    private PythonLogLevels() {}

    /** For Beam's harness in the worker. */
    static PipelineOptions pipelineOptions(ReadableConfig configuration) {
        SdkHarnessOptions options = PipelineOptionsFactory.as(SdkHarnessOptions.class);
        options.setDefaultSdkHarnessLogLevel(
                SdkHarnessOptions.LogLevel.valueOf(configuration.get(DEFAULT_LEVEL)));
        configuration
                .getOptional(OVERRIDES)
                .map(SdkHarnessOptions.SdkHarnessLogLevelOverrides::from)
                .ifPresent(options::setSdkHarnessLogLevelOverrides);
        return options;
    }
}
