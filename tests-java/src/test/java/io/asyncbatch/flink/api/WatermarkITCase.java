package io.asyncbatch.flink.api;

import static io.asyncbatch.flink.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.AsyncBatchFunction;
import io.asyncbatch.flink.RichAsyncBatchFunction;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.TimeDomain;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.streaming.api.functions.windowing.AllWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.flink.util.Collector;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Event time passes through batching operators without making a row late or holding time back. */
@Timeout(120)
class WatermarkITCase {

    private static final long ROWS = 2_000;
    private static final int WINDOW = 10;

    @RegisterExtension static final MiniClusterExtension CLUSTER = Jobs.cluster(1);

    /** Each row is followed by its watermark, so any row that is overtaken by one is lost. */
    @ParameterizedTest
    @EnumSource
    void windowsGetAllRowsInTime(Ordering ordering) throws Exception {
        DataStream<Long> results =
                ordering.apply(
                        rows(Jobs.environment()),
                        new Shuffled(),
                        Jobs.batchesOf(7).capacity(5).build());

        assertThat(Jobs.collect(counted(results))).isEqualTo(fullWindows());
    }

    @ParameterizedTest
    @EnumSource
    void windowsBehindSeveralOperatorsGetAllRowsInTime(Ordering first) throws Exception {
        DataStream<Long> once =
                first.apply(
                        rows(Jobs.environment()),
                        new Shuffled(),
                        Jobs.batchesOf(7).capacity(5).build());
        DataStream<Long> twice =
                Ordering.UNORDERED.apply(
                        once, new Shuffled(), Jobs.batchesOf(3).capacity(4).build());
        DataStream<Long> thrice =
                Ordering.ORDERED.apply(
                        twice, new Shuffled(), Jobs.batchesOf(16).capacity(2).build());

        assertThat(Jobs.collect(counted(thrice))).isEqualTo(fullWindows());
    }

    /** The watermark 11 closes what began with row 1: 1 to 11, 12 to 22, and so on. */
    @ParameterizedTest
    @EnumSource
    void watermarksCloseBatches(Ordering ordering) throws Exception {
        DataStream<Integer> sizes =
                ordering.apply(
                        rows(Jobs.environment()),
                        new BatchSize(),
                        Jobs.batchesOf(1_000)
                                .capacity((int) ROWS)
                                .batchTimeout(Duration.ofMillis(10))
                                .batchTimeDomain(TimeDomain.EVENT_TIME)
                                .build());

        List<Integer> all = Jobs.collect(sizes);
        assertThat(all).hasSize((int) ROWS);
        assertThat(all.subList(0, (int) (ROWS - ROWS % 11))).containsOnly(11);
        assertThat(all.subList((int) (ROWS - ROWS % 11), (int) ROWS))
                .containsOnly((int) (ROWS % 11));
    }

    /** A silent input says so through two batching operators, and holds no window back. */
    @ParameterizedTest
    @EnumSource
    void idlenessPassesThrough(Ordering ordering) throws Exception {
        Windows.COUNTS.clear();
        GatedRows.letThrough(0);
        StreamExecutionEnvironment env = Jobs.environment();
        env.getConfig().setAutoWatermarkInterval(1);
        DataStream<Long> silent =
                GatedRows.source(env, 1, WatermarkStrategy.forGenerator(context -> new Idle()));
        for (int operator = 0; operator < 2; operator++) {
            silent = ordering.apply(silent, new Shuffled(), Jobs.batchesOf(7).build());
        }
        counted(rows(env).union(silent)).sinkTo(new DiscardingSink<>());

        JobClient job = env.executeAsync();
        try {
            await().until(() -> Windows.COUNTS.size() >= ROWS / WINDOW);
        } finally {
            job.cancel().get();
        }
        assertThat(GatedRows.generated()).isZero();
        assertThat(Windows.COUNTS.stream().limit(ROWS / WINDOW).toList()).isEqualTo(fullWindows());
    }

    private static DataStream<Long> rows(StreamExecutionEnvironment env) {
        return env.fromSequence(1, ROWS)
                .assignTimestampsAndWatermarks(
                        WatermarkStrategy.<Long>forGenerator(context -> new EachRow())
                                .withTimestampAssigner((row, timestamp) -> row));
    }

    /** How many rows each window had when it closed. Late ones are in none. */
    private static DataStream<Integer> counted(DataStream<Long> rows) {
        return rows.windowAll(
                        TumblingEventTimeWindows.of(
                                Duration.ofMillis(WINDOW), Duration.ofMillis(1)))
                .apply(new Windows())
                .returns(Types.INT);
    }

    private static List<Integer> fullWindows() {
        return LongStream.range(0, ROWS / WINDOW).mapToObj(window -> WINDOW).toList();
    }

    private static final class Windows implements AllWindowFunction<Long, Integer, TimeWindow> {

        private static final Queue<Integer> COUNTS = new ConcurrentLinkedQueue<>();

        @Override
        public void apply(TimeWindow window, Iterable<Long> rows, Collector<Integer> out) {
            int count = 0;
            for (long row : rows) {
                count += row >= window.getStart() && row < window.getEnd() ? 1 : 0;
            }
            COUNTS.add(count);
            out.collect(count);
        }
    }

    private static final class EachRow implements WatermarkGenerator<Long> {

        @Override
        public void onEvent(Long row, long timestamp, WatermarkOutput output) {
            output.emitWatermark(new Watermark(timestamp));
        }

        @Override
        public void onPeriodicEmit(WatermarkOutput output) {}
    }

    private static final class Idle implements WatermarkGenerator<Long> {

        @Override
        public void onEvent(Long row, long timestamp, WatermarkOutput output) {}

        @Override
        public void onPeriodicEmit(WatermarkOutput output) {
            output.markIdle();
        }
    }

    private static final class BatchSize implements AsyncBatchFunction<Long, Integer> {

        @Override
        public void asyncInvokeBatch(List<Long> rows, ResultFuture<Integer> future) {
            future.complete(rows.stream().map(row -> rows.size()).toList());
        }
    }

    /** Answers in other threads, each batch after a random while. */
    private static final class Shuffled extends RichAsyncBatchFunction<Long, Long> {

        private static final int SLOWEST_MICROS = 3_000;

        private transient Random random;
        private transient ScheduledExecutorService threads;

        @Override
        public void open(OpenContext context) {
            random = new Random(7);
            threads = Executors.newScheduledThreadPool(2);
        }

        @Override
        public void asyncInvokeBatch(List<Long> rows, ResultFuture<Long> future) {
            threads.schedule(
                    () -> future.complete(rows),
                    random.nextInt(SLOWEST_MICROS),
                    TimeUnit.MICROSECONDS);
        }

        @Override
        public void close() {
            if (threads != null) {
                threads.shutdownNow();
            }
        }
    }
}
