package io.asyncbatch.flink.graph;

import io.asyncbatch.flink.AsyncBatchFunction;
import io.asyncbatch.flink.AsyncBatchOptions;
import io.asyncbatch.flink.DeadLetters;
import io.asyncbatch.flink.RowGrouping;
import io.asyncbatch.flink.arrow.RowSizes;
import io.asyncbatch.flink.arrow.UnsupportedElementTypeException;
import io.asyncbatch.flink.function.FunctionInvokerFactory;
import io.asyncbatch.flink.operator.AsyncBatchWaitOperatorFactory;
import io.asyncbatch.flink.operator.BatchSettings;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import io.asyncbatch.flink.operator.FailureHandling;
import io.asyncbatch.flink.operator.OverloadSettings;
import io.asyncbatch.flink.operator.buffer.RowWeigher;
import io.asyncbatch.flink.operator.trace.TraceSampling;
import java.time.Duration;
import java.util.Objects;
import java.util.OptionalLong;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.typeutils.TypeExtractor;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.functions.async.AsyncRetryStrategy;
import org.apache.flink.streaming.util.retryable.AsyncRetryStrategies;
import org.apache.flink.util.Utils;

/**
 * Builds the transformation of one call that names a Java function. Stateless; used by the client.
 */
@Internal
public final class JavaAsyncBatchTransformation {

    private static final String NAME = "async batch wait operator";

    private JavaAsyncBatchTransformation() {}

    /** Adds the transformation to the job. */
    public static <IN, OUT> SingleOutputStreamOperator<OUT> add(
            DataStream<IN> in,
            AsyncBatchFunction<IN, OUT> function,
            AsyncBatchOptions options,
            AsyncRetryStrategy<OUT> retryStrategy,
            RowGrouping<IN> grouping,
            OutputMode outputMode) {
        Objects.requireNonNull(function, "function");
        Objects.requireNonNull(options, "options");
        Objects.requireNonNull(retryStrategy, "asyncRetryStrategy");
        Objects.requireNonNull(grouping, "grouping");
        TypeInformation<OUT> outputType =
                TypeExtractor.getUnaryOperatorReturnType(
                        function,
                        AsyncBatchFunction.class,
                        0,
                        1,
                        new int[] {1, 0},
                        in.getType(),
                        Utils.getCallLocationName(),
                        true);
        return add(
                in,
                outputType,
                NAME,
                function,
                options,
                retryStrategy == AsyncRetryStrategies.NO_RETRY_STRATEGY ? null : retryStrategy,
                grouping,
                outputMode);
    }

    /**
     * Adds the transformation of a call from Python that names a Java function.
     *
     * @param retryStrategy null to repeat no call
     */
    public static <IN, OUT> SingleOutputStreamOperator<OUT> add(
            DataStream<IN> in,
            TypeInformation<OUT> outputType,
            String name,
            AsyncBatchFunction<IN, OUT> function,
            AsyncBatchOptions options,
            @Nullable AsyncRetryStrategy<OUT> retryStrategy,
            String outputMode) {
        return add(
                in,
                outputType,
                name,
                function,
                options,
                retryStrategy,
                RowGrouping.none(),
                OutputMode.valueOf(outputMode));
    }

    private static <IN, OUT> SingleOutputStreamOperator<OUT> add(
            DataStream<IN> in,
            TypeInformation<OUT> outputType,
            String name,
            AsyncBatchFunction<IN, OUT> function,
            AsyncBatchOptions options,
            @Nullable AsyncRetryStrategy<OUT> retryStrategy,
            RowGrouping<IN> grouping,
            OutputMode outputMode) {
        TraceSampling.of(in.getExecutionEnvironment().getConfiguration());
        grouping.forEachFunction(in.getExecutionEnvironment()::clean);
        return in.transform(
                name,
                outputType,
                new AsyncBatchWaitOperatorFactory<>(
                        settings(options, outputMode),
                        new FunctionInvokerFactory<>(
                                in.getExecutionEnvironment().clean(function),
                                retryStrategy == null
                                        ? null
                                        : in.getExecutionEnvironment().clean(retryStrategy)),
                        weigher(in.getType(), options),
                        grouping,
                        DeadLetters.tag(in.getType())));
    }

    private static BatchSettings settings(AsyncBatchOptions options, OutputMode outputMode) {
        long maxBatchBytes =
                options.getMaxBatchBytes().orElse(AsyncBatchOptions.DEFAULT_MAX_BATCH_BYTES);
        return new BatchSettings(
                outputMode,
                options.getBatchSize(),
                options.getBatchTimeout()
                        .map(Duration::toMillis)
                        .orElse(BatchSettings.NO_BATCH_TIMEOUT),
                options.getTimeout().toMillis(),
                options.getCapacity(),
                maxBatchBytes,
                options.getBatchTimeDomain(),
                options.getLatencyTarget()
                        .map(Duration::toMillis)
                        .orElse(BatchSettings.NO_LATENCY_TARGET),
                options.getMaxBytesInFlight()
                        .orElse(
                                Math.max(
                                        AsyncBatchOptions.DEFAULT_MAX_BYTES_IN_FLIGHT,
                                        maxBatchBytes)),
                options.getDrainAtCheckpoint(),
                new FailureHandling(options.getOnFailure(), options.isIsolate()),
                new OverloadSettings(
                        options.getConcurrency().orElse(null),
                        options.getBackend().orElse(null),
                        options.getCircuitBreaker().orElse(null),
                        options.getRetryBudget().orElse(null),
                        options.getHedging().orElse(null)));
    }

    private static <IN> RowWeigher<IN> weigher(
            TypeInformation<IN> inputType, AsyncBatchOptions options) {
        try {
            return RowSizes.estimator(inputType)::applyAsLong;
        } catch (UnsupportedElementTypeException e) {
            requireAbsent("maxBatchBytes", options.getMaxBatchBytes(), e);
            requireAbsent("maxBytesInFlight", options.getMaxBytesInFlight(), e);
            return row -> 0;
        }
    }

    private static void requireAbsent(
            String option, OptionalLong value, UnsupportedElementTypeException reason) {
        if (value.isPresent()) {
            throw new IllegalArgumentException(
                    option
                            + " cannot be kept, as the size of rows of this type is not known: "
                            + reason.getMessage(),
                    reason);
        }
    }
}
