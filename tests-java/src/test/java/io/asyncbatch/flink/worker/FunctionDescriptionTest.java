package io.asyncbatch.flink.worker;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.proto.ProtocolVersion;
import io.asyncbatch.flink.proto.UserDefinedAsyncBatchFunction;
import org.apache.flink.api.common.typeinfo.Types;
import org.junit.jupiter.api.Test;

class FunctionDescriptionTest {

    @Test
    void theWorkerIsToldWhatTheJarSpeaksAndOfWhichReleaseItIs() {
        PythonFunction function = new PythonFunction("Identity", new byte[0], new byte[0]);

        UserDefinedAsyncBatchFunction description =
                FunctionDescription.describe(function, Types.LONG, Types.LONG).build();

        assertThat(description.getProtocolVersion())
                .isEqualTo(ProtocolVersion.PROTOCOL_VERSION_CURRENT_VALUE)
                .isPositive();
        assertThat(description.getRelease()).matches("\\d+\\.\\d+\\.\\d+(-SNAPSHOT)?");
    }
}
