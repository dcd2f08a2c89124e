package io.asyncbatch.flink.table.backend;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

/** What Python makes of these bytes: {@code tests-python/worker/test_by_name.py}. */
class PickledCallTest {

    @Test
    void intsAreWrittenInFourBytes() {
        assertThat(
                        PickledCall.of(
                                "pyflink_async_batch._table.by_name",
                                "retry_strategy",
                                3,
                                10,
                                2,
                                100))
                .isEqualTo(
                        HexFormat.of()
                                .parseHex(
                                        "8002637079666c696e6b5f6173796e635f62617463682e5f7461626c65"
                                                + "2e62795f6e616d650a72657472795f73747261746567790a"
                                                + "284a030000004a0a0000004a020000004a6400000074522e"));
    }

    @Test
    void textsAreWrittenInUtf8() {
        assertThat(new String(PickledCall.of("m", "f", "mod:Clé"), StandardCharsets.ISO_8859_1))
                .isEqualTo(
                        "\u0080\u0002cm\nf\n(X\u0008\u0000\u0000\u0000"
                                + new String(
                                        "mod:Clé".getBytes(StandardCharsets.UTF_8),
                                        StandardCharsets.ISO_8859_1)
                                + "tR.");
    }
}
