package io.asyncbatch.flink.table.backend;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.table.PythonModelOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.RowType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PythonBackendTest {

    @ParameterizedTest
    @ValueSource(strings = {"0 s", "366 d", "9223372036854775807 s"})
    void refusesAnImpossibleTimeToOpen(String time) {
        Configuration options = new Configuration();
        options.set(PythonModelOptions.FUNCTION, "module:Class");
        options.setString(PythonModelOptions.OPEN_TIMEOUT.key(), time);
        RowType row = RowType.of(new BigIntType());
        assertThatThrownBy(() -> PythonBackend.of(options, new Configuration(), row, row, null))
                .isInstanceOf(ValidationException.class)
                .hasMessageStartingWith(
                        "'python.open-timeout' must be between 1 ms and 365 days, got PT");
    }
}
