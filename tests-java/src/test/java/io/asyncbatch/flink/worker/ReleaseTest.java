package io.asyncbatch.flink.worker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class ReleaseTest {

    @Test
    void isWhatTheJarSays() {
        assertThat(Release.version()).matches("\\d+\\.\\d+\\.\\d+(-SNAPSHOT)?");
    }

    @Test
    void aJarThatDoesNotSayIsRefusedWithWhatItLacks() {
        assertThatThrownBy(() -> Release.version("absent.properties"))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("io/asyncbatch/flink/worker/absent.properties")
                .hasMessageContaining("'version'");
    }

    @Test
    void aFileWithoutTheVersionIsRefusedToo() {
        assertThatThrownBy(() -> Release.version("silent-release.properties"))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("'version'");
    }
}
