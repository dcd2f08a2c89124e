package io.asyncbatch.flink.benchmark;

import io.asyncbatch.flink.AsyncBatchOptions;
import io.asyncbatch.flink.CircuitBreakerOptions;
import io.asyncbatch.flink.Concurrency;
import io.asyncbatch.flink.RetryBudgetOptions;
import io.asyncbatch.flink.function.FunctionInvokerFactory;
import io.asyncbatch.flink.operator.AsyncBatchWaitOperatorFactory;
import io.asyncbatch.flink.operator.BatchSettings;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import io.asyncbatch.flink.operator.FailureHandling;
import io.asyncbatch.flink.operator.OverloadSettings;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.TimeDomain;
import org.apache.flink.streaming.api.datastream.AsyncDataStream;
import org.apache.flink.streaming.api.operators.StreamOperatorFactory;
import org.apache.flink.streaming.api.operators.async.AsyncWaitOperatorFactory;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Rows per second through one operator whose function answers at once, LONG to LONG.
 *
 * <p>Both operators have a deadline, as all uses of ours do, and so one timer a batch or a row;
 * ours has a flush timer besides.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class OperatorBenchmark {

    /** Many, so that starting and leaving the mailbox loop is not what is measured. */
    private static final int ROWS = 8_192;

    private static final int CAPACITY = 100;
    private static final long TIMEOUT_MILLIS = 60_000;
    private static final long BATCH_TIMEOUT_MILLIS = 100;

    /** Rows of a batch, or "stock" for Flink's operator. */
    @Param({"stock", "1", "8", "64", "512"})
    public String batch;

    @Param({"ORDERED"})
    public OutputMode mode;

    /** What holds calls back, beside {@code capacity}: nothing, or all there is. */
    @Param({"NONE"})
    public Control control;

    private OperatorTask task;

    /** Both with a circuit breaker and a retry budget; neither ever has to hold anything back. */
    public enum Control {
        NONE(OverloadSettings.NONE),
        FIXED(all(Concurrency.fixed(CAPACITY))),
        ADAPTIVE(all(Concurrency.adaptive(CAPACITY, CAPACITY)));

        private final OverloadSettings settings;

        Control(OverloadSettings settings) {
            this.settings = settings;
        }

        private static OverloadSettings all(Concurrency concurrency) {
            return new OverloadSettings(
                    concurrency,
                    null,
                    CircuitBreakerOptions.defaults(),
                    RetryBudgetOptions.defaults(),
                    null);
        }
    }

    @Setup
    public void open() throws Exception {
        task =
                OperatorTask.open(
                        batch.equals("stock") ? stock() : batched(Integer.parseInt(batch)));
    }

    @Benchmark
    @OperationsPerInvocation(ROWS)
    public void rows() throws Exception {
        task.take(ROWS);
    }

    @TearDown
    public void close() throws Exception {
        task.close();
    }

    private StreamOperatorFactory<Long> stock() {
        return new AsyncWaitOperatorFactory<Long, Long>(
                (input, result) -> result.complete(List.of(input)),
                TIMEOUT_MILLIS,
                CAPACITY,
                AsyncDataStream.OutputMode.valueOf(mode.name()));
    }

    private StreamOperatorFactory<Long> batched(int batchSize) {
        AsyncBatchWaitOperatorFactory<Long, Long> factory =
                new AsyncBatchWaitOperatorFactory<>(
                        new BatchSettings(
                                mode,
                                batchSize,
                                BATCH_TIMEOUT_MILLIS,
                                TIMEOUT_MILLIS,
                                CAPACITY,
                                AsyncBatchOptions.DEFAULT_MAX_BATCH_BYTES,
                                TimeDomain.PROCESSING_TIME,
                                BatchSettings.NO_LATENCY_TARGET,
                                Long.MAX_VALUE,
                                false,
                                FailureHandling.STRICT,
                                control.settings),
                        new FunctionInvokerFactory<>(
                                (inputs, results) -> results.complete(inputs), null),
                        row -> Long.BYTES);
        factory.setOutputType(Types.LONG, new ExecutionConfig());
        return factory;
    }
}
