package io.asyncbatch.flink.worker;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.apache.beam.sdk.options.SdkHarnessOptions;
import org.apache.beam.sdk.options.SdkHarnessOptions.LogLevel;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.python.PythonOptions;
import org.junit.jupiter.api.Test;

class PythonLogLevelsTest {

    @Test
    void theOptionsAreThoseOfTheFlinkThatHasThem() {
        assertThat(PythonLogLevels.DEFAULT_LEVEL)
                .isEqualTo(PythonOptions.PYTHON_LOGGING_DEFAULT_LEVEL);
        assertThat(PythonLogLevels.OVERRIDES)
                .isEqualTo(PythonOptions.PYTHON_LOGGING_LEVEL_OVERRIDE);
    }

    @Test
    void areTheConfiguredOnes() {
        Configuration configuration = new Configuration();
        configuration.setString("python.logging.default.level", "WARN");
        configuration.setString("python.logging.level.overrides", "my.module:DEBUG");

        SdkHarnessOptions options =
                PythonLogLevels.pipelineOptions(configuration).as(SdkHarnessOptions.class);

        assertThat(options.getDefaultSdkHarnessLogLevel()).isEqualTo(LogLevel.WARN);
        assertThat(options.getSdkHarnessLogLevelOverrides())
                .isEqualTo(Map.of("my.module", LogLevel.DEBUG));
    }

    @Test
    void areFlinksDefaultsOtherwise() {
        SdkHarnessOptions options =
                PythonLogLevels.pipelineOptions(new Configuration()).as(SdkHarnessOptions.class);

        assertThat(options.getDefaultSdkHarnessLogLevel()).isEqualTo(LogLevel.INFO);
        assertThat(options.getSdkHarnessLogLevelOverrides()).isNull();
    }
}
