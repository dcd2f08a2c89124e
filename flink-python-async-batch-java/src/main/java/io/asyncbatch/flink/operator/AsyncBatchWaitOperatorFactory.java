package io.asyncbatch.flink.operator;

import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.RowGrouping;
import io.asyncbatch.flink.invoker.BatchInvokerFactory;
import io.asyncbatch.flink.operator.buffer.RowWeigher;
import io.asyncbatch.flink.operator.emission.EmittingOperatorFactory;
import io.asyncbatch.flink.operator.inflight.RowOutput;
import java.util.Objects;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.types.Row;
import org.apache.flink.util.OutputTag;

/**
 * Creates a subtask's {@link AsyncBatchWaitOperator}. Travels with the job graph; used by the
 * task's thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class AsyncBatchWaitOperatorFactory<IN, OUT> extends EmittingOperatorFactory<IN, OUT> {

    private static final long serialVersionUID = 1L;

    private final BatchSettings settings;
    private final BatchInvokerFactory<IN, OUT> invokerFactory;
    private final RowWeigher<IN> weigher;
    private final RowGrouping<IN> grouping;
    @Nullable private final OutputTag<Row> deadLetters;
    private RowOutput.LetterInput letterInput = RowOutput.LetterInput.ROW_ITSELF;

    /** For settings that want no dead letters. */
    public AsyncBatchWaitOperatorFactory(
            BatchSettings settings,
            BatchInvokerFactory<IN, OUT> invokerFactory,
            RowWeigher<IN> weigher) {
        this(settings, invokerFactory, weigher, RowGrouping.none(), null);
    }

    /**
     * @param grouping which rows share a batch by what is in them
     * @param deadLetters where rows without a result leave, if the settings want them to; null if
     *     not
     */
    public AsyncBatchWaitOperatorFactory(
            BatchSettings settings,
            BatchInvokerFactory<IN, OUT> invokerFactory,
            RowWeigher<IN> weigher,
            RowGrouping<IN> grouping,
            @Nullable OutputTag<Row> deadLetters) {
        this.settings = Objects.requireNonNull(settings, "settings");
        this.invokerFactory = Objects.requireNonNull(invokerFactory, "invoker factory");
        this.weigher = Objects.requireNonNull(weigher, "weigher");
        this.grouping = Objects.requireNonNull(grouping, "grouping");
        if (grouping.hasLengthBuckets()) {
            requireFitForBuckets(settings);
        }
        if (settings.failureHandling().onFailure() == OnFailure.DEAD_LETTER) {
            Objects.requireNonNull(deadLetters, "side output of dead letters");
        }
        this.deadLetters = deadLetters;
    }

    private static void requireFitForBuckets(BatchSettings settings) {
        if (settings.outputMode() != BatchSettings.OutputMode.UNORDERED) {
            throw new IllegalArgumentException(
                    "length_buckets needs unordered results, and they are "
                            + settings.outputMode());
        }
        if (settings.batchTimeoutMillis() == BatchSettings.NO_BATCH_TIMEOUT
                && !settings.hasLatencyTarget()) {
            throw new IllegalArgumentException(
                    "length_buckets needs a batch_timeout or a latency_target, and has neither:"
                            + " a row of a rare length would wait for others without a bound");
        }
    }

    /** Has dead letters show something else of a row than the row itself. */
    public AsyncBatchWaitOperatorFactory<IN, OUT> letterInput(RowOutput.LetterInput ofRow) {
        this.letterInput = ofRow;
        return this;
    }

    @Override
    @SuppressWarnings("unchecked")
    public <T extends StreamOperator<OUT>> T createStreamOperator(
            StreamOperatorParameters<OUT> parameters) {
        return (T)
                new AsyncBatchWaitOperator<>(
                        parameters,
                        getMailboxExecutor(),
                        settings,
                        invokerFactory,
                        weigher,
                        grouping,
                        outputSerializer(),
                        deadLetters,
                        letterInput);
    }

    @Override
    @SuppressWarnings("rawtypes")
    public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader classLoader) {
        return AsyncBatchWaitOperator.class;
    }
}
