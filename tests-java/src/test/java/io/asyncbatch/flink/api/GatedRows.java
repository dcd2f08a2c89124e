package io.asyncbatch.flink.api;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.lib.NumberSequenceSource.NumberSequenceSplit;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiter;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.connector.datagen.source.GeneratorFunction;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * A source of the numbers from 1 on that stands still, without ending, after as many rows as the
 * test lets through. For one job at a time.
 */
final class GatedRows {

    private static final long NONE_YET = -1;

    private static final AtomicLong GENERATED = new AtomicLong();
    private static final AtomicLong FIRST = new AtomicLong();
    private static volatile CompletableFuture<Void> gate = new CompletableFuture<>();
    private static volatile long limit;

    private GatedRows() {}

    /** Prepares the next job's source, which goes on where its savepoint says. */
    static void letThrough(long rows) {
        GENERATED.set(0);
        FIRST.set(NONE_YET);
        limit = rows;
        gate = new CompletableFuture<>();
    }

    /** Lets all rows through, and the source end. */
    static void open() {
        limit = Long.MAX_VALUE;
        gate.complete(null);
    }

    /** Rows of this job so far. */
    static long generated() {
        return GENERATED.get();
    }

    /** The first row of this job. */
    static long first() {
        return FIRST.get();
    }

    static SingleOutputStreamOperator<Long> source(
            StreamExecutionEnvironment env, long count, WatermarkStrategy<Long> watermarks) {
        return env.fromSource(
                        new DataGeneratorSource<>(
                                new Counted(), count, new AtTheGate(), Types.LONG),
                        watermarks,
                        "rows")
                .uid("rows")
                .setParallelism(1);
    }

    static SingleOutputStreamOperator<Long> source(StreamExecutionEnvironment env, long count) {
        return source(env, count, WatermarkStrategy.noWatermarks());
    }

    private static final class Counted implements GeneratorFunction<Long, Long> {

        @Override
        public Long map(Long index) {
            long row = index + 1;
            FIRST.compareAndSet(NONE_YET, row);
            GENERATED.incrementAndGet();
            return row;
        }
    }

    private static final class AtTheGate implements RateLimiterStrategy<NumberSequenceSplit> {

        @Override
        public RateLimiter<NumberSequenceSplit> createRateLimiter(int parallelism) {
            return AtTheGate::next;
        }

        private static CompletionStage<Void> next(int rows) {
            return GENERATED.get() < limit ? CompletableFuture.completedFuture(null) : gate;
        }
    }
}
