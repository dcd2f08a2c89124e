package io.asyncbatch.flink.batchapi.operator;

import io.asyncbatch.flink.batchapi.BatchCodec;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.batchapi.FailedRow;
import io.asyncbatch.flink.batchapi.client.BatchApiFactory;
import io.asyncbatch.flink.operator.emission.EmittingOperatorFactory;
import java.io.Serializable;
import java.util.Objects;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.util.OutputTag;

/**
 * Creates a subtask's {@link BatchInferenceOperator}. Travels with the job graph; used by the
 * task's thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class BatchInferenceOperatorFactory<IN, OUT> extends EmittingOperatorFactory<IN, OUT> {

    private static final long serialVersionUID = 1L;

    private final BatchInferenceOptions options;
    private final BatchApiFactory apiFactory;
    private final BatchCodec<IN, OUT> codec;
    private final OutputTag<FailedRow<IN>> failures;
    private final IoThreadFactory ioThreads;

    /** Makes the thread that a subtask's files are written and read by. */
    interface IoThreadFactory extends Serializable {
        ExecutorService create(String name);
    }

    public BatchInferenceOperatorFactory(
            BatchInferenceOptions options,
            BatchApiFactory apiFactory,
            BatchCodec<IN, OUT> codec,
            OutputTag<FailedRow<IN>> failures) {
        this(options, apiFactory, codec, failures, BatchInferenceOperatorFactory::thread);
    }

    BatchInferenceOperatorFactory(
            BatchInferenceOptions options,
            BatchApiFactory apiFactory,
            BatchCodec<IN, OUT> codec,
            OutputTag<FailedRow<IN>> failures,
            IoThreadFactory ioThreads) {
        this.options = Objects.requireNonNull(options, "options");
        this.apiFactory = Objects.requireNonNull(apiFactory, "API factory");
        this.codec = Objects.requireNonNull(codec, "codec");
        this.failures = Objects.requireNonNull(failures, "failures");
        this.ioThreads = ioThreads;
    }

    private static ExecutorService thread(String name) {
        return Executors.newSingleThreadExecutor(
                files -> {
                    Thread thread = new Thread(files, name);
                    thread.setDaemon(true);
                    return thread;
                });
    }

    @Override
    @SuppressWarnings("unchecked")
    public <T extends StreamOperator<OUT>> T createStreamOperator(
            StreamOperatorParameters<OUT> parameters) {
        return (T)
                new BatchInferenceOperator<>(
                        parameters,
                        getMailboxExecutor(),
                        options,
                        apiFactory,
                        codec,
                        failures,
                        ioThreads,
                        outputSerializer());
    }

    @Override
    @SuppressWarnings("rawtypes")
    public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader classLoader) {
        return BatchInferenceOperator.class;
    }
}
