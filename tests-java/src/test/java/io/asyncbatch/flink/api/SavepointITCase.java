package io.asyncbatch.flink.api;

import static io.asyncbatch.flink.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.AsyncBatchOptions;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import javax.annotation.Nullable;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.test.junit5.InjectMiniCluster;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Jobs that are stopped with rows in flight and go on elsewhere deliver each row once. */
@Timeout(120)
class SavepointITCase {

    private static final long ROWS = 100;

    /** Often enough for the last checkpoint of a job, which commits its last rows. */
    private static final long SOON_MILLIS = 50;

    /** So that nothing but the savepoint itself has a function snapshot its state. */
    private static final long NEVER_MILLIS = 3_600_000;

    @RegisterExtension static final MiniClusterExtension CLUSTER = Jobs.cluster(3);

    @TempDir Path savepoints;

    private MiniCluster cluster;

    @BeforeEach
    void begin(@InjectMiniCluster MiniCluster miniCluster) {
        cluster = miniCluster;
        CommittedRows.forget();
        ReleasesAtSnapshot.armed = false;
    }

    @ParameterizedTest
    @EnumSource
    void rowsOfHangingCallsAreInTheSavepoint(Ordering ordering) throws Exception {
        AsyncBatchOptions how = Jobs.batchesOf(4).capacity(2).build();
        String savepoint = savepointOfHangingCalls(ordering, how);
        finish(ordering, how, 1, savepoint);

        assertThat(GatedRows.first())
                .as("rows that the source need not read again")
                .isGreaterThan(8);
        ordering.assertResults(CommittedRows.all(), results(ROWS));
    }

    @ParameterizedTest
    @EnumSource
    void restoredRowsObeyNewOptions(Ordering ordering) throws Exception {
        String savepoint = savepointOfHangingCalls(ordering, Jobs.batchesOf(4).capacity(2).build());
        assertThat(HeldCalls.batchSizes()).containsExactly(4, 4);
        HeldCalls.hold();
        finish(ordering, Jobs.batchesOf(7).capacity(1).build(), 1, savepoint);

        // The rows make 14 batches of 7 and what is left.
        assertThat(HeldCalls.batchSizes()).hasSize(15).startsWith(7, 7).endsWith(7, 2);
        ordering.assertResults(CommittedRows.all(), results(ROWS));
    }

    @ParameterizedTest
    @EnumSource
    void drainingEndsTheInputAndLosesNothing(Ordering ordering) throws Exception {
        AsyncBatchOptions how = Jobs.batchesOf(4).build();
        HeldCalls.hold();
        GatedRows.letThrough(10);
        JobClient job = start(ordering, how, 1, null, SOON_MILLIS);
        await().until(() -> HeldCalls.started() == 2 && GatedRows.generated() == 10);
        Jobs.awaitRunning(cluster, job);
        CompletableFuture<String> stopping =
                job.stopWithSavepoint(true, savepoints.toString(), SavepointFormatType.CANONICAL);
        await().until(() -> HeldCalls.started() == 3);
        assertThat(HeldCalls.batchSizes()).as("partial batch included").containsExactly(4, 4, 2);
        assertThat(stopping).isNotDone();
        HeldCalls.release();
        String savepoint = stopping.get();
        job.getJobExecutionResult().get();
        ordering.assertResults(CommittedRows.all(), results(10));

        finish(ordering, how, 1, savepoint);
        ordering.assertResults(CommittedRows.all(), results(ROWS));
    }

    @ParameterizedTest
    @EnumSource
    void stoppingWithoutDrainingWaitsForNoCall(Ordering ordering) throws Exception {
        AsyncBatchOptions how = Jobs.batchesOf(4).build();
        HeldCalls.hold();
        GatedRows.letThrough(10);
        JobClient job = start(ordering, how, 1, null, SOON_MILLIS);
        await().until(() -> HeldCalls.started() == 2 && GatedRows.generated() == 10);
        Jobs.awaitRunning(cluster, job);
        String savepoint =
                job.stopWithSavepoint(false, savepoints.toString(), SavepointFormatType.CANONICAL)
                        .get();
        job.getJobExecutionResult().get();
        assertThat(HeldCalls.started()).as("partial batch not included").isEqualTo(2);
        assertThat(CommittedRows.all()).isEmpty();
        HeldCalls.release();

        finish(ordering, how, 1, savepoint);
        assertThat(GatedRows.first()).isEqualTo(11);
        ordering.assertResults(CommittedRows.all(), results(ROWS));
    }

    /** They come while the job waits for its savepoint to complete, so they are in it as inputs. */
    @ParameterizedTest
    @EnumSource
    void resultsThatComeAfterTheSavepointCountOnce(Ordering ordering) throws Exception {
        AsyncBatchOptions how = Jobs.batchesOf(4).build();
        HeldCalls.hold();
        GatedRows.letThrough(10);
        JobClient job = start(ordering, how, 1, null, NEVER_MILLIS);
        await().until(() -> HeldCalls.started() == 2 && GatedRows.generated() == 10);
        Jobs.awaitRunning(cluster, job);
        ReleasesAtSnapshot.armed = true;
        String savepoint =
                job.stopWithSavepoint(false, savepoints.toString(), SavepointFormatType.CANONICAL)
                        .get();
        job.getJobExecutionResult().get();
        assertThat(ReleasesAtSnapshot.armed).isFalse();
        assertThat(CommittedRows.all()).isEmpty();

        finish(ordering, how, 1, savepoint);
        ordering.assertResults(CommittedRows.all(), results(ROWS));
    }

    static Stream<List<Integer>> parallelisms() {
        return Stream.of(List.of(1, 2, 3), List.of(3, 1), List.of(2, 3, 2));
    }

    @ParameterizedTest
    @MethodSource("parallelisms")
    void rowsInFlightFollowTheParallelism(List<Integer> parallelisms) throws Exception {
        AsyncBatchOptions how = Jobs.batchesOf(2).capacity(2).build();
        String savepoint = null;
        for (int parallelism : parallelisms.subList(0, parallelisms.size() - 1)) {
            HeldCalls.hold();
            GatedRows.letThrough(20);
            JobClient job = start(Ordering.UNORDERED, how, parallelism, savepoint, SOON_MILLIS);
            await().until(
                            () ->
                                    HeldCalls.started() == 2 * parallelism
                                            && GatedRows.generated() == 20);
            savepoint = savepointOf(job);
            assertThat(CommittedRows.all()).isEmpty();
        }
        finish(Ordering.UNORDERED, how, parallelisms.get(parallelisms.size() - 1), savepoint);

        assertThat(GatedRows.first()).isEqualTo(20 * (parallelisms.size() - 1) + 1);
        Ordering.UNORDERED.assertResults(CommittedRows.all(), results(ROWS));
    }

    private String savepointOfHangingCalls(Ordering ordering, AsyncBatchOptions how)
            throws Exception {
        HeldCalls.hold();
        GatedRows.letThrough(20);
        JobClient job = start(ordering, how, 1, null, SOON_MILLIS);
        await().until(() -> HeldCalls.started() == how.getCapacity());
        String savepoint = savepointOf(job);
        assertThat(CommittedRows.all()).isEmpty();
        return savepoint;
    }

    private String savepointOf(JobClient job) throws Exception {
        Jobs.awaitRunning(cluster, job);
        String savepoint =
                job.triggerSavepoint(savepoints.toString(), SavepointFormatType.CANONICAL).get();
        job.cancel().get();
        await().until(() -> job.getJobStatus().get() == JobStatus.CANCELED);
        return savepoint;
    }

    /** Goes on from the savepoint, to the end of the input. */
    private static void finish(
            Ordering ordering, AsyncBatchOptions how, int parallelism, String savepoint)
            throws Exception {
        HeldCalls.release();
        GatedRows.letThrough(0);
        GatedRows.open();
        start(ordering, how, parallelism, savepoint, SOON_MILLIS).getJobExecutionResult().get();
    }

    private static JobClient start(
            Ordering ordering,
            AsyncBatchOptions how,
            int parallelism,
            @Nullable String savepoint,
            long checkpointMillis)
            throws Exception {
        Configuration configuration = new Configuration();
        if (savepoint != null) {
            configuration.set(StateRecoveryOptions.SAVEPOINT_PATH, savepoint);
        }
        StreamExecutionEnvironment env = Jobs.environment(configuration);
        env.enableCheckpointing(checkpointMillis);
        // Without a pause the first checkpoint is not one interval away: Flink starts its timer
        // again
        // when all tasks run, and that waits for the pause alone.
        env.getCheckpointConfig().setMinPauseBetweenCheckpoints(checkpointMillis);
        env.setParallelism(parallelism);
        DataStream<Long> rows = GatedRows.source(env, ROWS);
        ordering.apply(parallelism == 1 ? rows : rows.rebalance(), new HeldCalls(), how)
                .uid("batches")
                .map(new ReleasesAtSnapshot())
                .uid("after")
                .sinkTo(new CommittedRows())
                .uid("sink");
        return env.executeAsync();
    }

    private static List<Long> results(long rows) {
        return LongStream.rangeClosed(1, rows).map(row -> row * 10).boxed().toList();
    }

    /** Has calls answered right after the snapshot that the test is about. */
    private static final class ReleasesAtSnapshot
            implements MapFunction<Long, Long>, CheckpointedFunction {

        private static volatile boolean armed;

        @Override
        public Long map(Long row) {
            return row;
        }

        @Override
        public void snapshotState(FunctionSnapshotContext context) {
            if (armed) {
                armed = false;
                HeldCalls.release();
            }
        }

        @Override
        public void initializeState(FunctionInitializationContext context) {}
    }
}
