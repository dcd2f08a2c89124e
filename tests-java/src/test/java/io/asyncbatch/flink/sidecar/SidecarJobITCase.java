package io.asyncbatch.flink.sidecar;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.AsyncBatchOptions;
import io.asyncbatch.flink.AsyncDataStream;
import io.asyncbatch.flink.api.Jobs;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Jobs from a source over a model server to a sink. */
@Timeout(120)
class SidecarJobITCase {

    @RegisterExtension static final MiniClusterExtension CLUSTER = Jobs.cluster(2);

    @TempDir Path directory;

    @Test
    void resultsOfSingleRecordsKeepTheirOrder() throws Exception {
        try (MockSidecar server = MockSidecar.onUnixSocket(directory.resolve("s"))) {
            assertThat(
                            Jobs.collect(
                                    AsyncDataStream.orderedWait(
                                                    Jobs.numbers(1, 500),
                                                    new GpuSidecarAsyncFunction<>(
                                                            server.options().build(),
                                                            new LongCodec()),
                                                    1,
                                                    TimeUnit.MINUTES,
                                                    50)
                                            .returns(Types.LONG)))
                    .isEqualTo(tens(500));
        }
    }

    @Test
    void resultsOfBatchesKeepTheirOrder() throws Exception {
        try (MockSidecar server = MockSidecar.onTcp()) {
            assertThat(
                            Jobs.collect(
                                    AsyncDataStream.orderedWaitBatch(
                                                    Jobs.numbers(1, 1_000),
                                                    new GpuSidecarAsyncBatchFunction<>(
                                                            server.options().build(),
                                                            new LongCodec()),
                                                    AsyncBatchOptions.builder(
                                                                    32, Duration.ofMinutes(1))
                                                            .build())
                                            .returns(Types.LONG)))
                    .isEqualTo(tens(1_000));
        }
    }

    private static List<Long> tens(long to) {
        return LongStream.rangeClosed(1, to).mapToObj(value -> value * 10).toList();
    }
}
