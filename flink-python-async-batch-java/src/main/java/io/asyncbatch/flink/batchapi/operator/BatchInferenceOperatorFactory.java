package io.asyncbatch.flink.batchapi.operator;

import io.asyncbatch.flink.batchapi.BatchCodec;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.batchapi.CollectedResult;
import io.asyncbatch.flink.batchapi.FailedRow;
import io.asyncbatch.flink.batchapi.RequestCodec;
import io.asyncbatch.flink.batchapi.RequestId;
import io.asyncbatch.flink.batchapi.ResultCodec;
import io.asyncbatch.flink.batchapi.SubmittedBatch;
import io.asyncbatch.flink.batchapi.SubmittedRow;
import io.asyncbatch.flink.batchapi.client.BatchApiFactory;
import io.asyncbatch.flink.batchapi.job.SideOutputs;
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
 * @param <E> type of what comes in
 * @param <IN> type of the rows that jobs are made of
 * @param <OUT> type of the outputs
 */
@Internal
public final class BatchInferenceOperatorFactory<E, IN, OUT>
        extends EmittingOperatorFactory<E, OUT> {

    private static final long serialVersionUID = 1L;

    private final BatchInferenceOptions options;
    private final BatchApiFactory apiFactory;
    private final Role<E, IN, OUT> role;
    private final IoThreadFactory ioThreads;

    /** Makes the thread that a subtask's files are written and read by. */
    interface IoThreadFactory extends Serializable {
        ExecutorService create(String name);
    }

    BatchInferenceOperatorFactory(
            BatchInferenceOptions options,
            BatchApiFactory apiFactory,
            Role<E, IN, OUT> role,
            IoThreadFactory ioThreads) {
        this.options = Objects.requireNonNull(options, "options");
        this.apiFactory = Objects.requireNonNull(apiFactory, "API factory");
        this.role = Objects.requireNonNull(role, "role");
        this.ioThreads = ioThreads;
    }

    /** An operator that sends rows and emits results. */
    public static <IN, OUT> BatchInferenceOperatorFactory<IN, IN, OUT> inferring(
            BatchInferenceOptions options,
            BatchApiFactory apiFactory,
            BatchCodec<IN, OUT> codec,
            OutputTag<FailedRow<IN>> failedRows) {
        return new BatchInferenceOperatorFactory<>(
                options,
                apiFactory,
                new InferenceRole<>(codec, new SideOutputs<>(failedRows, null)),
                BatchInferenceOperatorFactory::thread);
    }

    /** An operator that sends rows and emits what the API has of them. */
    public static <IN> BatchInferenceOperatorFactory<IN, IN, SubmittedBatch> submitting(
            BatchInferenceOptions options,
            BatchApiFactory apiFactory,
            RequestCodec<IN> codec,
            OutputTag<FailedRow<IN>> failedRows,
            OutputTag<SubmittedRow<IN>> submittedRows) {
        return new BatchInferenceOperatorFactory<>(
                options,
                apiFactory,
                SubmitterRole.of(codec, new SideOutputs<>(failedRows, submittedRows), options),
                BatchInferenceOperatorFactory::thread);
    }

    /** An operator that takes what the API has and emits results. */
    public static <OUT>
            BatchInferenceOperatorFactory<SubmittedBatch, RequestId, CollectedResult<OUT>>
                    collecting(
                            BatchInferenceOptions options,
                            BatchApiFactory apiFactory,
                            ResultCodec<OUT> codec,
                            OutputTag<FailedRow<RequestId>> failedRequests) {
        return new BatchInferenceOperatorFactory<>(
                options,
                apiFactory,
                new CollectorRole<>(codec, new SideOutputs<>(failedRequests, null)),
                BatchInferenceOperatorFactory::thread);
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
                        role,
                        ioThreads,
                        outputSerializer());
    }

    @Override
    @SuppressWarnings("rawtypes")
    public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader classLoader) {
        return BatchInferenceOperator.class;
    }
}
