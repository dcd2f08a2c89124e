package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.EarlyRows;
import io.asyncbatch.flink.invoker.InvokerContext;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.testutils.CommonTestUtils;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.test.junit5.InjectMiniCluster;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Checkpoints complete while every slot is taken by a call that never ends, in a real cluster. */
@Timeout(120)
class HangingCallsITCase {

    private static final int CAPACITY = 3;

    @RegisterExtension
    static final MiniClusterExtension CLUSTER =
            new MiniClusterExtension(
                    new MiniClusterResourceConfiguration.Builder()
                            .setNumberTaskManagers(1)
                            .setNumberSlotsPerTaskManager(1)
                            .build());

    @ParameterizedTest
    @CsvSource({
        "ORDERED, false, false",
        "UNORDERED, false, false",
        "ORDERED, true, true",
        "UNORDERED, true, true",
    })
    void barrierPassesAFullOperator(
            OutputMode mode,
            boolean behindNetwork,
            boolean unaligned,
            @InjectMiniCluster MiniCluster cluster)
            throws Exception {
        HangingInvoker.invoked = 0;
        Configuration configuration = new Configuration();
        configuration.set(CheckpointingOptions.ENABLE_UNALIGNED, unaligned);
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(configuration);
        env.setParallelism(1);
        env.enableCheckpointing(50);
        DataStream<Long> rows = env.fromSequence(1, Long.MAX_VALUE - 1);
        if (behindNetwork) {
            rows = rows.rebalance();
        }
        rows.transform(
                        "batches",
                        Types.LONG,
                        new AsyncBatchWaitOperatorFactory<>(
                                new BatchSettings(
                                        mode,
                                        2,
                                        BatchSettings.NO_BATCH_TIMEOUT,
                                        3_600_000,
                                        CAPACITY,
                                        1_000_000),
                                HangingInvoker::new,
                                row -> 8))
                .sinkTo(new DiscardingSink<>());

        JobClient job = env.executeAsync();
        CommonTestUtils.waitUntilCondition(() -> HangingInvoker.invoked == CAPACITY);
        // Triggered when the operator is full for certain.
        String checkpoint = cluster.triggerCheckpoint(job.getJobID()).get();
        assertThat(checkpoint).isNotEmpty();
        cluster.triggerCheckpoint(job.getJobID()).get();
        assertThat(HangingInvoker.invoked).isEqualTo(CAPACITY);
        job.cancel().get();
    }

    /** Never answers. */
    private static final class HangingInvoker implements BatchInvoker<Long, Long> {

        private static volatile int invoked;

        @Override
        public void open(InvokerContext context) {}

        @Override
        @SuppressWarnings("NonAtomicOperationOnVolatileField") // One subtask, one mailbox thread.
        public CompletionStage<BatchOutcome<Long>> invoke(
                BatchRequest<Long> request, EarlyRows<Long> early) {
            invoked = invoked + 1;
            return new CompletableFuture<>();
        }

        @Override
        public CompletionStage<BatchOutcome<Long>> timeout(BatchRequest<Long> request) {
            return new CompletableFuture<>();
        }

        @Override
        public void close() {}
    }
}
