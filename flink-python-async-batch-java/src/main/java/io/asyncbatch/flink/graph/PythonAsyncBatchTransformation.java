package io.asyncbatch.flink.graph;

import io.asyncbatch.flink.CircuitBreakerOptions;
import io.asyncbatch.flink.Concurrency;
import io.asyncbatch.flink.DeadLetters;
import io.asyncbatch.flink.GpuResources;
import io.asyncbatch.flink.HedgingOptions;
import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.RetryBudgetOptions;
import io.asyncbatch.flink.RowGrouping;
import io.asyncbatch.flink.arrow.ArrowSchemas;
import io.asyncbatch.flink.arrow.ColumnTypes;
import io.asyncbatch.flink.arrow.RowSizes;
import io.asyncbatch.flink.grouped.ElementInvokerFactory;
import io.asyncbatch.flink.grouped.GroupedRows;
import io.asyncbatch.flink.invoker.BatchInvokerFactory;
import io.asyncbatch.flink.operator.AsyncBatchWaitOperatorFactory;
import io.asyncbatch.flink.operator.BatchSettings;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import io.asyncbatch.flink.operator.FailureHandling;
import io.asyncbatch.flink.operator.OverloadSettings;
import io.asyncbatch.flink.operator.buffer.RowWeigher;
import io.asyncbatch.flink.operator.trace.TraceSampling;
import io.asyncbatch.flink.table.stream.JoiningInvokerFactory;
import io.asyncbatch.flink.table.stream.RowJoin;
import io.asyncbatch.flink.worker.PythonFunction;
import io.asyncbatch.flink.worker.PythonInvokerFactory;
import io.asyncbatch.flink.worker.SubmittedPythonConfiguration;
import io.asyncbatch.flink.worker.WorkerLimits;
import io.asyncbatch.flink.worker.WorkerRestarts;
import io.asyncbatch.flink.worker.WorkerSharing;
import java.time.Duration;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.operators.SlotSharingGroup;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.streaming.api.TimeDomain;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.types.Row;
import org.apache.flink.util.OutputTag;

/**
 * Builds the transformation of one {@code *_wait_batch} call of the Python API. Used by the
 * client's thread, through Py4J; the setters take exactly what Py4J passes.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class PythonAsyncBatchTransformation<IN, OUT> {

    private final DataStream<IN> input;
    private final TypeInformation<OUT> outputType;

    private String name;
    private PythonFunction function;
    private OutputMode outputMode;
    private int batchSize;
    private long batchTimeoutMillis = BatchSettings.NO_BATCH_TIMEOUT;
    private TimeDomain batchTimeDomain = TimeDomain.PROCESSING_TIME;
    private long latencyTargetMillis = BatchSettings.NO_LATENCY_TARGET;
    private long timeoutMillis;
    private int capacity;
    private long maxBatchBytes;
    private long maxFrameBytes;
    private long openTimeoutMillis;
    private long maxBytesInFlight;
    private long sharedMemoryThreshold;
    @Nullable private GpuResources resources;
    private boolean sharedWorker;
    private long stallTimeoutMillis;
    @Nullable private WorkerRestarts workerRestarts;
    private int suspectAfter = FailureHandling.DEFAULT_SUSPECT_AFTER;
    private OnFailure onFailure = OnFailure.FAIL;
    private boolean isolate;
    @Nullable private RowJoin join;
    @Nullable private Concurrency concurrency;
    @Nullable private String backend;
    @Nullable private CircuitBreakerOptions circuitBreaker;
    @Nullable private RetryBudgetOptions retryBudget;
    @Nullable private HedgingOptions hedging;
    @Nullable private RowGrouping<Row> grouping;

    private PythonAsyncBatchTransformation(DataStream<IN> input, TypeInformation<OUT> outputType) {
        this.input = input;
        this.outputType = outputType;
    }

    /**
     * Begins a transformation.
     *
     * @throws io.asyncbatch.flink.arrow.UnsupportedElementTypeException if elements of either type
     *     cannot be sent to a Python worker
     */
    public static <IN, OUT> PythonAsyncBatchTransformation<IN, OUT> of(
            DataStream<IN> input, TypeInformation<OUT> outputType) {
        ArrowSchemas.forType(input.getType());
        ArrowSchemas.forType(outputType);
        return new PythonAsyncBatchTransformation<>(input, outputType);
    }

    /**
     * The same for elements that have a weight and a key beside them, see {@link GroupedRows}.
     *
     * @param maxBatchWeight most that a batch's elements may weigh; 0 if that has no bound
     * @param lengthBuckets the most that elements of a bucket weigh; none if there are no buckets
     * @param coalesces whether elements with equal keys are computed once
     */
    public static <OUT> PythonAsyncBatchTransformation<Row, OUT> ofGrouped(
            DataStream<Row> input,
            TypeInformation<OUT> outputType,
            long maxBatchWeight,
            long[] lengthBuckets,
            boolean coalesces) {
        ArrowSchemas.forType(GroupedRows.elementType(input.getType()));
        ArrowSchemas.forType(outputType);
        PythonAsyncBatchTransformation<Row, OUT> transformation =
                new PythonAsyncBatchTransformation<>(input, outputType);
        transformation.grouping = GroupedRows.grouping(maxBatchWeight, lengthBuckets, coalesces);
        return transformation;
    }

    public PythonAsyncBatchTransformation<IN, OUT> name(String name) {
        this.name = name;
        return this;
    }

    /** An empty retry strategy repeats no call. */
    public PythonAsyncBatchTransformation<IN, OUT> function(
            String className, byte[] pickled, byte[] retryStrategy) {
        this.function = new PythonFunction(className, pickled, retryStrategy);
        return this;
    }

    /**
     * @param onColumns whether the function takes and returns Arrow's columns
     * @throws io.asyncbatch.flink.arrow.UnsupportedElementTypeException if elements of either type
     *     have no columns that mean something to it
     */
    public PythonAsyncBatchTransformation<IN, OUT> onColumns(boolean onColumns) {
        if (onColumns) {
            ColumnTypes.require(elementType(), "inputs");
            ColumnTypes.require(outputType, "results");
        }
        return this;
    }

    public PythonAsyncBatchTransformation<IN, OUT> outputMode(String outputMode) {
        this.outputMode = OutputMode.valueOf(outputMode);
        return this;
    }

    public PythonAsyncBatchTransformation<IN, OUT> batchSize(int batchSize) {
        this.batchSize = batchSize;
        return this;
    }

    /** Not called where a partial batch waits for more rows. */
    public PythonAsyncBatchTransformation<IN, OUT> batchTimeoutMillis(long batchTimeoutMillis) {
        this.batchTimeoutMillis = batchTimeoutMillis;
        return this;
    }

    public PythonAsyncBatchTransformation<IN, OUT> batchTimeDomain(String batchTimeDomain) {
        this.batchTimeDomain = TimeDomain.valueOf(batchTimeDomain);
        return this;
    }

    /** Not called where only the batch timeout counts. */
    public PythonAsyncBatchTransformation<IN, OUT> latencyTargetMillis(long latencyTargetMillis) {
        this.latencyTargetMillis = latencyTargetMillis;
        return this;
    }

    public PythonAsyncBatchTransformation<IN, OUT> timeoutMillis(long timeoutMillis) {
        this.timeoutMillis = timeoutMillis;
        return this;
    }

    public PythonAsyncBatchTransformation<IN, OUT> capacity(int capacity) {
        this.capacity = capacity;
        return this;
    }

    public PythonAsyncBatchTransformation<IN, OUT> maxBatchBytes(long maxBatchBytes) {
        this.maxBatchBytes = maxBatchBytes;
        return this;
    }

    public PythonAsyncBatchTransformation<IN, OUT> maxFrameBytes(long maxFrameBytes) {
        this.maxFrameBytes = maxFrameBytes;
        return this;
    }

    public PythonAsyncBatchTransformation<IN, OUT> openTimeoutMillis(long openTimeoutMillis) {
        this.openTimeoutMillis = openTimeoutMillis;
        return this;
    }

    public PythonAsyncBatchTransformation<IN, OUT> maxBytesInFlight(long maxBytesInFlight) {
        this.maxBytesInFlight = maxBytesInFlight;
        return this;
    }

    public PythonAsyncBatchTransformation<IN, OUT> sharedMemoryThreshold(
            long sharedMemoryThreshold) {
        this.sharedMemoryThreshold = sharedMemoryThreshold;
        return this;
    }

    /** Not called where the operator needs a slot like any other. */
    public PythonAsyncBatchTransformation<IN, OUT> resources(GpuResources resources) {
        this.resources = resources;
        return this;
    }

    /**
     * @param sharedWorker whether the subtasks of a TaskManager share a worker
     */
    public PythonAsyncBatchTransformation<IN, OUT> sharedWorker(boolean sharedWorker) {
        this.sharedWorker = sharedWorker;
        return this;
    }

    /**
     * Not called where a call that takes {@link WorkerLimits#STALL_SPARE_MILLIS} too long is a
     * hang.
     */
    public PythonAsyncBatchTransformation<IN, OUT> stallTimeoutMillis(long stallTimeoutMillis) {
        this.stallTimeoutMillis = stallTimeoutMillis;
        return this;
    }

    /**
     * Not called where the death of a worker fails the task.
     *
     * @param maxRestarts most restarts within the window, at least 1
     * @param windowMillis how long a restart counts, at least 1
     * @param initialBackoffMillis before the first restart, at least 1
     * @param maxBackoffMillis before any restart, at least {@code initialBackoffMillis}
     * @param suspectAfter rows that were in flight at so many deaths are called for alone, at least
     *     1
     */
    public PythonAsyncBatchTransformation<IN, OUT> workerRestart(
            int maxRestarts,
            long windowMillis,
            long initialBackoffMillis,
            long maxBackoffMillis,
            int suspectAfter) {
        this.workerRestarts =
                new WorkerRestarts(
                        maxRestarts, windowMillis, initialBackoffMillis, maxBackoffMillis);
        this.suspectAfter = suspectAfter;
        return this;
    }

    public PythonAsyncBatchTransformation<IN, OUT> onFailure(String onFailure) {
        this.onFailure = OnFailure.valueOf(onFailure);
        return this;
    }

    public PythonAsyncBatchTransformation<IN, OUT> isolate(boolean isolate) {
        this.isolate = isolate;
        return this;
    }

    /** Not called where there may be a call for each batch in flight, or an adaptive number. */
    public PythonAsyncBatchTransformation<IN, OUT> fixedConcurrency(int calls) {
        this.concurrency = Concurrency.fixed(calls);
        return this;
    }

    /**
     * Not called where there may be a call for each batch in flight, or a fixed number.
     *
     * @param least at least 1
     * @param most at least {@code least}; 0 for as many as capacity allows
     * @param initial within these; 0 for the usual
     */
    public PythonAsyncBatchTransformation<IN, OUT> adaptiveConcurrency(
            int least, int most, int initial) {
        Concurrency adaptive =
                most == 0 ? Concurrency.adaptiveFrom(least) : Concurrency.adaptive(least, most);
        this.concurrency = initial == 0 ? adaptive : adaptive.withInitial(initial);
        return this;
    }

    /** Not called where each subtask is on its own. */
    public PythonAsyncBatchTransformation<IN, OUT> backend(String backend) {
        this.backend = backend;
        return this;
    }

    /**
     * Not called where nothing stops calls.
     *
     * @param windowCalls the last so many calls are judged, at least 1
     * @param windowMillis and of these only those that ended in so long a time, at least 1
     * @param leastCalls nothing is judged before so many calls, from 1 to {@code windowCalls}
     * @param failureRate opens when this share of them failed, above 0 up to 1
     * @param slowCallMillis a call that takes longer is slow; 0 if none is
     * @param slowCallRate opens when this share of them was slow, above 0 up to 1
     * @param firstPauseMillis how long no call is made the first time, at least 1
     * @param longestPauseMillis and at most, at least {@code firstPauseMillis}
     * @param probes calls that have to succeed in a row after it, at least 1
     * @param whenOpen a {@link CircuitBreakerOptions.WhenOpen}
     */
    public PythonAsyncBatchTransformation<IN, OUT> circuitBreaker(
            int windowCalls,
            long windowMillis,
            int leastCalls,
            double failureRate,
            long slowCallMillis,
            double slowCallRate,
            long firstPauseMillis,
            long longestPauseMillis,
            int probes,
            String whenOpen) {
        CircuitBreakerOptions.Builder builder =
                CircuitBreakerOptions.builder()
                        .window(windowCalls, Duration.ofMillis(windowMillis), leastCalls)
                        .failureRate(failureRate)
                        .pause(
                                Duration.ofMillis(firstPauseMillis),
                                Duration.ofMillis(longestPauseMillis))
                        .probes(probes)
                        .whenOpen(CircuitBreakerOptions.WhenOpen.valueOf(whenOpen));
        if (slowCallMillis > 0) {
            builder.slowCallRate(slowCallRate, Duration.ofMillis(slowCallMillis));
        }
        this.circuitBreaker = builder.build();
        return this;
    }

    /**
     * Not called where only the retry strategy bounds retries.
     *
     * @param share retries a success, from 0 to 1
     * @param reserve retries that any ten seconds may have beyond that, at least 1
     */
    public PythonAsyncBatchTransformation<IN, OUT> retryBudget(double share, int reserve) {
        this.retryBudget = new RetryBudgetOptions(share, reserve);
        return this;
    }

    /**
     * Not called where no batch is called for a second time while its first call goes on.
     *
     * @param percentile share of the last calls that were quicker than what is called for again
     * @param minDelayMillis no second call before this
     * @param leastCalls no second call before so many calls have ended
     */
    public PythonAsyncBatchTransformation<IN, OUT> hedging(
            double percentile, long minDelayMillis, int leastCalls) {
        this.hedging =
                new HedgingOptions(percentile, Duration.ofMillis(minDelayMillis), leastCalls);
        return this;
    }

    /**
     * The function takes columns of rows, and its results become columns of theirs. Not called
     * where inputs and results stand for themselves.
     */
    public PythonAsyncBatchTransformation<IN, OUT> join(RowJoin join) {
        this.join = join;
        return this;
    }

    /**
     * Adds the transformation to the job.
     *
     * @throws IllegalArgumentException if an option is out of its range or contradicts another
     */
    @SuppressWarnings("unchecked")
    public SingleOutputStreamOperator<OUT> apply() {
        if (maxBatchBytes > maxFrameBytes) {
            throw new IllegalArgumentException(
                    "max_batch_bytes must be at most max_frame_bytes="
                            + maxFrameBytes
                            + ", got "
                            + maxBatchBytes);
        }
        BatchSettings settings =
                new BatchSettings(
                        outputMode,
                        batchSize,
                        batchTimeoutMillis,
                        timeoutMillis,
                        capacity,
                        maxBatchBytes,
                        batchTimeDomain,
                        latencyTargetMillis,
                        maxBytesInFlight,
                        false,
                        failureHandling(),
                        new OverloadSettings(
                                concurrency, backend, circuitBreaker, retryBudget, hedging));
        TraceSampling.of(input.getExecutionEnvironment().getConfiguration());
        SingleOutputStreamOperator<OUT> results =
                input.transform(
                        name,
                        join == null
                                ? outputType
                                : (TypeInformation<OUT>)
                                        join.outputType(input.getType(), outputType),
                        operatorFactory(settings));
        return resources == null ? results : results.slotSharingGroup(ownGroup(results));
    }

    @SuppressWarnings("unchecked")
    private AsyncBatchWaitOperatorFactory<IN, OUT> operatorFactory(BatchSettings settings) {
        OutputTag<Row> deadLetters = DeadLetters.tag(elementType());
        RowWeigher<Object> elements =
                RowSizes.estimator((TypeInformation<Object>) elementType())::applyAsLong;
        if (grouping == null) {
            return new AsyncBatchWaitOperatorFactory<>(
                    settings, invokerFactory(), elements::weigh, RowGrouping.none(), deadLetters);
        }
        return new AsyncBatchWaitOperatorFactory<>(
                        settings,
                        invokerFactory(),
                        row -> elements.weigh(GroupedRows.element(row)),
                        (RowGrouping<IN>) grouping,
                        deadLetters)
                .letterInput(GroupedRows::element);
    }

    /** Of what the function takes, if it takes no columns of it. */
    private TypeInformation<?> elementType() {
        return grouping == null ? input.getType() : GroupedRows.elementType(input.getType());
    }

    @SuppressWarnings("unchecked")
    private BatchInvokerFactory<IN, OUT> invokerFactory() {
        if (grouping != null) {
            return (BatchInvokerFactory<IN, OUT>)
                    new ElementInvokerFactory<>(workers(elementType()));
        }
        return join == null
                ? workers(input.getType())
                : (BatchInvokerFactory<IN, OUT>)
                        new JoiningInvokerFactory<>(join, workers(join.inputType(input.getType())));
    }

    private <I> BatchInvokerFactory<I, OUT> workers(TypeInformation<I> inputType) {
        return new PythonInvokerFactory<>(
                function,
                inputType,
                outputType,
                new SubmittedPythonConfiguration(input.getExecutionEnvironment()),
                new WorkerLimits(
                        openTimeoutMillis,
                        maxFrameBytes,
                        maxBytesInFlight,
                        sharedMemoryThreshold,
                        resources,
                        stallTimeoutMillis > 0
                                ? stallTimeoutMillis
                                : timeoutMillis + WorkerLimits.STALL_SPARE_MILLIS),
                sharedWorker
                        ? new WorkerSharing(
                                batchSize, maxBatchBytes, capacity, failureHandling().isContained())
                        : null,
                workerRestarts);
    }

    private FailureHandling failureHandling() {
        return new FailureHandling(onFailure, isolate, suspectAfter);
    }

    /** Two operators in one group would share a slot, and with it what only one declared. */
    private SlotSharingGroup ownGroup(SingleOutputStreamOperator<OUT> results) {
        return resources.slotSharingGroup(name + " " + results.getId());
    }
}
