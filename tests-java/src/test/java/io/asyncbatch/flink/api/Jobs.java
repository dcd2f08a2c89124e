package io.asyncbatch.flink.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.asyncbatch.flink.AsyncBatchOptions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.testutils.CommonTestUtils;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.source.legacy.FromIteratorFunction;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.flink.util.CloseableIterator;
import org.apache.flink.util.ExceptionUtils;
import org.apache.flink.util.NumberSequenceIterator;

/** What jobs under test have in common. */
public final class Jobs {

    private Jobs() {}

    public static MiniClusterExtension cluster(int slots) {
        return new MiniClusterExtension(
                new MiniClusterResourceConfiguration.Builder()
                        .setNumberTaskManagers(1)
                        .setNumberSlotsPerTaskManager(slots)
                        .build());
    }

    /** A failure ends the job, where checkpointing would have Flink restart it without end. */
    public static StreamExecutionEnvironment environment(Configuration configuration) {
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(configuration);
        env.setParallelism(1);
        return env;
    }

    public static StreamExecutionEnvironment environment() {
        return environment(new Configuration());
    }

    /**
     * Batches that close when they are full, and calls that have all the time they need. It is less
     * than a test may take: Flink's iterator of results is deaf to the interruption that ends a
     * test, and a call that got lost would hold up the whole build.
     */
    public static AsyncBatchOptions.Builder batchesOf(int rows) {
        return AsyncBatchOptions.builder(rows, Duration.ofSeconds(100));
    }

    /**
     * Waits until Flink has noticed that all tasks run, which may be after they began to: it takes
     * no savepoint before.
     */
    public static void awaitRunning(MiniCluster cluster, JobClient job) throws Exception {
        CommonTestUtils.waitForAllTaskRunning(cluster, job.getJobID(), false);
    }

    /** Runs the job to its end. */
    public static <T> List<T> collect(DataStream<T> stream) throws Exception {
        List<T> results = new ArrayList<>();
        try (CloseableIterator<T> output = stream.executeAndCollect()) {
            output.forEachRemaining(results::add);
        }
        return results;
    }

    /** Runs the job to its failure, whose causes must hold the text. */
    public static void assertFailsWith(String text, DataStream<?> stream) {
        Throwable failure = catchThrowable(() -> collect(stream));
        assertThat(failure).isNotNull();
        assertThat(ExceptionUtils.findThrowableWithMessage(failure, text))
                .as("cause that says '%s' in: %s", text, ExceptionUtils.stringifyException(failure))
                .isPresent();
    }

    /**
     * Numbers for a job that may fail at once. From a source without a coordinator: if one is still
     * talking to the task, Flink fails the job for the message that was lost, before it learns why
     * the task failed.
     */
    @SuppressWarnings("deprecation")
    public static DataStream<Long> numbers(long from, long to) {
        return environment()
                .addSource(
                        new FromIteratorFunction<>(new NumberSequenceIterator(from, to)),
                        "numbers",
                        Types.LONG);
    }
}
