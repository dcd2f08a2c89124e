package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.state.CheckpointListener;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.flink.util.CloseableIterator;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A job that fails in every part of it delivers each row once, in a real cluster. */
@Timeout(180)
class ExactlyOnceITCase {

    private static final long ROWS = 60_000;

    @RegisterExtension
    static final MiniClusterExtension CLUSTER =
            new MiniClusterExtension(
                    new MiniClusterResourceConfiguration.Builder()
                            .setConfiguration(smallBuffers())
                            .setNumberTaskManagers(1)
                            .setNumberSlotsPerTaskManager(2)
                            .build());

    @ParameterizedTest
    @CsvSource({
        "ORDERED, 1, false",
        "UNORDERED, 1, false",
        "ORDERED, 1, true",
        "UNORDERED, 2, true",
    })
    void everyRowLeavesOnceWhateverFails(OutputMode mode, int parallelism, boolean unaligned)
            throws Exception {
        Faults.plan(
                List.of(
                        Faults.Kind.UPSTREAM,
                        Faults.Kind.BATCH,
                        Faults.Kind.WORKER,
                        Faults.Kind.DOWNSTREAM));
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(configuration(unaligned));
        env.setParallelism(parallelism);
        env.enableCheckpointing(20);
        AsyncBatchWaitOperatorFactory<Long, Long> factory =
                new AsyncBatchWaitOperatorFactory<>(
                        new BatchSettings(mode, 16, 5, 60_000, 4, Long.MAX_VALUE),
                        ThreadInvoker::new,
                        row -> 8);

        List<Long> results = new ArrayList<>();
        try (CloseableIterator<Long> output =
                env.fromSequence(1, ROWS)
                        .map(new Failing(Faults.Kind.UPSTREAM))
                        .disableChaining()
                        .transform("batches", Types.LONG, factory)
                        .map(new Failing(Faults.Kind.DOWNSTREAM))
                        .executeAndCollect()) {
            output.forEachRemaining(results::add);
        }

        assertThat(Faults.left()).as("failures that did not happen").isEmpty();
        List<Long> expected = LongStream.rangeClosed(1, ROWS).map(row -> row * 2).boxed().toList();
        if (mode == OutputMode.ORDERED && parallelism == 1) {
            assertThat(results).isEqualTo(expected);
        } else {
            assertThat(results.stream().sorted().toList()).isEqualTo(expected);
        }
    }

    /** So that the source is held back and lives as long as the job. */
    private static Configuration smallBuffers() {
        Configuration configuration = new Configuration();
        configuration.set(TaskManagerOptions.MEMORY_SEGMENT_SIZE, new MemorySize(4096));
        return configuration;
    }

    private static Configuration configuration(boolean unaligned) {
        Configuration configuration = new Configuration();
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, 10);
        configuration.set(
                RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_DELAY, Duration.ofMillis(1));
        configuration.set(CheckpointingOptions.ENABLE_UNALIGNED, unaligned);
        return configuration;
    }

    /** Passes rows on until its failure is due. */
    private static final class Failing implements MapFunction<Long, Long>, CheckpointListener {

        private final Faults.Kind kind;

        private Failing(Faults.Kind kind) {
            this.kind = kind;
        }

        @Override
        public Long map(Long row) {
            if (Faults.isDue(kind)) {
                throw new Faults.InducedFailure(kind.toString());
            }
            return row;
        }

        @Override
        public void notifyCheckpointComplete(long checkpointId) {
            if (kind == Faults.Kind.DOWNSTREAM) {
                Faults.checkpointCompleted();
            }
        }
    }
}
