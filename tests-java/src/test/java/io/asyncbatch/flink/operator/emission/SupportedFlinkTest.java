package io.asyncbatch.flink.operator.emission;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.apache.flink.runtime.util.EnvironmentInformation;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SupportedFlinkTest {

    @ParameterizedTest
    @ValueSource(strings = {"2.2.1", "2.2.10", "2.3.0", "2.3.1", "2.3-SNAPSHOT", "2.3.0-vendor1"})
    void isTakenAsItIs(String version) {
        assertThatCode(() -> SupportedFlink.require(version)).doesNotThrowAnyException();
    }

    @ParameterizedTest
    @ValueSource(strings = {"1.20.5", "2.1.3", "2.2.0", "2.2-SNAPSHOT", "2.4.0", "2.30.1", "3.2.3"})
    void anyOtherIsRefusedByItsName(String version) {
        assertThatThrownBy(() -> SupportedFlink.require(version))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage(
                        "flink-python-async-batch works with Apache Flink 2.2.1 and later 2.2.x,"
                                + " and with 2.3.x; this is Flink "
                                + version);
    }

    @Test
    void oneThatDoesNotSayItsVersionIsTaken() {
        assertThatCode(() -> SupportedFlink.require(EnvironmentInformation.UNKNOWN))
                .doesNotThrowAnyException();
    }

    @Test
    void thatOfTheTestsSaysItsVersion() {
        assertThat(EnvironmentInformation.getVersion())
                .isNotEqualTo(EnvironmentInformation.UNKNOWN);
        assertThatCode(SupportedFlink::require).doesNotThrowAnyException();
    }
}
