package io.asyncbatch.flink.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.AsyncBatchFunction;
import io.asyncbatch.flink.AsyncBatchTraceOptions;
import io.asyncbatch.flink.AsyncDataStream;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.api.common.functions.InvalidTypesException;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.async.AsyncFunction;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The ways in which a user writes, completes and applies a function. */
@Timeout(120)
class JavaApiITCase {

    @RegisterExtension static final MiniClusterExtension CLUSTER = Jobs.cluster(1);

    @ParameterizedTest
    @EnumSource
    void aLambdaComputesBatchesOnceItsTypeIsNamed(Ordering ordering) throws Exception {
        DataStream<String> results =
                ordering.apply(
                                rows(10),
                                (List<Long> rows, ResultFuture<String> future) ->
                                        future.complete(Describe.all(rows)),
                                Jobs.batchesOf(4).build())
                        .returns(Types.STRING);

        ordering.assertResults(
                Jobs.collect(results),
                List.of(
                        "1 of 4", "2 of 4", "3 of 4", "4 of 4", "5 of 4", "6 of 4", "7 of 4",
                        "8 of 4", "9 of 2", "10 of 2"));
    }

    @ParameterizedTest
    @EnumSource
    void aLambdaWhoseTypeIsNotNamedIsRefused(Ordering ordering) {
        SingleOutputStreamOperator<String> results =
                ordering.apply(
                        rows(10),
                        (rows, future) -> future.complete(Describe.all(rows)),
                        Jobs.batchesOf(4).build());

        assertThatThrownBy(results::getType)
                .isInstanceOf(InvalidTypesException.class)
                .hasMessageContaining("returns(...)");
    }

    @ParameterizedTest
    @EnumSource
    void aShareOfTracedBatchesThatCannotBeIsRefused(Ordering ordering) {
        Configuration configuration = new Configuration();
        configuration.set(AsyncBatchTraceOptions.SAMPLING, 1.5);
        DataStream<Long> rows = Jobs.environment(configuration).fromData(1L);
        assertThatThrownBy(() -> ordering.apply(rows, new Describe(), Jobs.batchesOf(2).build()))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("async-batch.trace.sampling")
                .hasMessageContaining("got 1.5");
    }

    @ParameterizedTest
    @EnumSource
    void aClassSaysItsTypeItself(Ordering ordering) throws Exception {
        SingleOutputStreamOperator<String> results =
                ordering.apply(rows(3), new Describe(), Jobs.batchesOf(2).build());

        assertThat(results.getType()).isEqualTo(Types.STRING);
        ordering.assertResults(Jobs.collect(results), List.of("1 of 2", "2 of 2", "3 of 1"));
    }

    @Test
    void theShortFormsMeanTheSame() throws Exception {
        List<String> expected = List.of("1 of 2", "2 of 2", "3 of 1");
        assertThat(
                        Jobs.collect(
                                AsyncDataStream.orderedWaitBatch(
                                        rows(3), new Describe(), 1, TimeUnit.MINUTES, 2)))
                .isEqualTo(expected);
        assertThat(
                        Jobs.collect(
                                AsyncDataStream.orderedWaitBatch(
                                        rows(3), new Describe(), 1, TimeUnit.MINUTES, 2, 1, 1)))
                .isEqualTo(expected);
        assertThat(
                        Jobs.collect(
                                AsyncDataStream.unorderedWaitBatch(
                                        rows(3), new Describe(), 1, TimeUnit.MINUTES, 2)))
                .containsExactlyInAnyOrderElementsOf(expected);
        assertThat(
                        Jobs.collect(
                                AsyncDataStream.unorderedWaitBatch(
                                        rows(3), new Describe(), 1, TimeUnit.MINUTES, 2, 1, 1)))
                .containsExactlyInAnyOrderElementsOf(expected);
    }

    /** The second batch is done before the first, both by a thread that is not the task's. */
    @ParameterizedTest
    @EnumSource
    void anotherThreadCompletesBatchesInAnotherOrder(Ordering ordering) throws Exception {
        List<Long> results =
                Jobs.collect(
                        ordering.apply(
                                rows(6), new SecondFirstElsewhere(), Jobs.batchesOf(2).build()));

        assertThat(results)
                .isEqualTo(
                        ordering == Ordering.ORDERED
                                ? List.of(10L, 20L, 30L, 40L, 50L, 60L)
                                : List.of(30L, 40L, 10L, 20L, 50L, 60L));
    }

    @ParameterizedTest
    @EnumSource
    void aSupplierOfResultsRunsInTheTasksThread(Ordering ordering) throws Exception {
        ordering.assertResults(
                Jobs.collect(
                        ordering.apply(
                                rows(3), new SuppliedElsewhere(), Jobs.batchesOf(2).build())),
                List.of("1 true", "2 true", "3 true"));
    }

    /** No Arrow type exists for it, and none is needed. */
    @ParameterizedTest
    @EnumSource
    void pojosGoInAndComeOut(Ordering ordering) throws Exception {
        DataStream<Reading> readings = rows(5).map(Reading::new).returns(Reading.class);
        SingleOutputStreamOperator<Alarm> alarms =
                ordering.apply(readings, new Judge(), Jobs.batchesOf(2).build());

        assertThat(readings.getType()).isEqualTo(TypeInformation.of(Reading.class));
        ordering.assertResults(
                Jobs.collect(alarms).stream().map(alarm -> alarm.text).toList(),
                List.of("sensor 1", "sensor 2", "sensor 3", "sensor 4", "sensor 5"));
    }

    @ParameterizedTest
    @EnumSource
    void aBoundedJobRunsInBatchMode(Ordering ordering) throws Exception {
        StreamExecutionEnvironment env = Jobs.environment();
        env.setRuntimeMode(RuntimeExecutionMode.BATCH);
        List<String> results =
                Jobs.collect(
                        ordering.apply(
                                env.fromSequence(1, 1_000),
                                new Describe(),
                                Jobs.batchesOf(300).capacity(1).build()));

        ordering.assertResults(
                results,
                LongStream.rangeClosed(1, 1_000)
                        .mapToObj(row -> row + " of " + (row <= 900 ? 300 : 100))
                        .toList());
    }

    @Test
    void flinksOwnMethodsAreInherited() throws Exception {
        AsyncFunction<Long, Long> function =
                (row, future) -> future.complete(Collections.singleton(row * 10));

        assertThat(
                        Jobs.collect(
                                AsyncDataStream.unorderedWait(
                                                rows(3), function, 1, TimeUnit.MINUTES)
                                        .returns(Types.LONG)))
                .containsExactlyInAnyOrder(10L, 20L, 30L);
        assertThat(
                        Jobs.collect(
                                AsyncDataStream.orderedWait(rows(3), function, 1, TimeUnit.MINUTES)
                                        .returns(Types.LONG)))
                .containsExactly(10L, 20L, 30L);
    }

    private static DataStream<Long> rows(long count) {
        return Jobs.environment().fromSequence(1, count);
    }

    /** Says of each row how many there are in its batch. */
    private static final class Describe implements AsyncBatchFunction<Long, String> {

        @Override
        public void asyncInvokeBatch(List<Long> rows, ResultFuture<String> future) {
            future.complete(all(rows));
        }

        static List<String> all(List<Long> rows) {
            return rows.stream().map(row -> row + " of " + rows.size()).toList();
        }
    }

    /** Waits for a second batch, and completes that one first. */
    private static final class SecondFirstElsewhere implements AsyncBatchFunction<Long, Long> {

        private transient Runnable first;

        @Override
        public void asyncInvokeBatch(List<Long> rows, ResultFuture<Long> future) {
            Runnable completion =
                    () -> future.complete(rows.stream().map(row -> row * 10).toList());
            if (rows.contains(1L)) {
                first = completion;
                return;
            }
            if (rows.contains(5L)) {
                // Only now has the operator surely taken note of the second.
                CompletableFuture.runAsync(first).join();
            }
            CompletableFuture.runAsync(completion).join();
        }
    }

    /** Hands over, in another thread, what tells whether the task's thread runs it. */
    private static final class SuppliedElsewhere implements AsyncBatchFunction<Long, String> {

        @Override
        public void asyncInvokeBatch(List<Long> rows, ResultFuture<String> future) {
            Thread task = Thread.currentThread();
            CompletableFuture.runAsync(
                    () ->
                            future.complete(
                                    () -> {
                                        boolean inTask = Thread.currentThread() == task;
                                        return rows.stream()
                                                .map(row -> row + " " + inTask)
                                                .toList();
                                    }));
        }
    }

    /** An input. */
    public static final class Reading {
        public long sensor;
        public double[] values;

        public Reading() {}

        private Reading(long sensor) {
            this.sensor = sensor;
            this.values = new double[(int) sensor];
        }
    }

    /** An output. */
    public static final class Alarm {
        public String text;
    }

    private static final class Judge implements AsyncBatchFunction<Reading, Alarm> {

        @Override
        public void asyncInvokeBatch(List<Reading> readings, ResultFuture<Alarm> future) {
            Alarm[] alarms = new Alarm[readings.size()];
            for (int row = 0; row < alarms.length; row++) {
                alarms[row] = new Alarm();
                alarms[row].text = "sensor " + readings.get(row).values.length;
            }
            future.complete(Arrays.asList(alarms));
        }
    }
}
