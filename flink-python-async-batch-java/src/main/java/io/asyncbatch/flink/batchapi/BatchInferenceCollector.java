package io.asyncbatch.flink.batchapi;

import io.asyncbatch.flink.batchapi.operator.BatchInferenceOperatorFactory;
import java.util.Objects;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.typeutils.TypeExtractor;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.util.OutputTag;

/**
 * Waits for batches that a {@link BatchInferenceSubmitter} submitted and emits their results, each
 * once, whatever fails. It has no rows, so it submits nothing again: requests without a result are
 * its side output. Used by the client.
 */
@PublicEvolving
public final class BatchInferenceCollector {

    private static final String NAME = "batch collection";

    private BatchInferenceCollector() {}

    /**
     * Adds the operator to the job.
     *
     * @param batches each once, of the API that the options name
     * @param codec makes results of responses; its class says what type these have
     * @param options those of jobs that submit must not be among them
     * @return the results; requests without one, if the options want them put aside, are the side
     *     output {@link #failedRequests}. Both have the timestamp of their batch's element, and
     *     watermarks wait for them
     * @throws IllegalArgumentException if an option means nothing here
     */
    public static <OUT> SingleOutputStreamOperator<CollectedResult<OUT>> apply(
            DataStream<SubmittedBatch> batches,
            ResultCodec<OUT> codec,
            BatchInferenceOptions options) {
        Objects.requireNonNull(codec, "codec");
        TypeInformation<OUT> resultType =
                TypeExtractor.createTypeInfo(codec, ResultCodec.class, codec.getClass(), 0);
        return apply(batches, codec, resultType, options);
    }

    /** The same, where the codec's class does not say what type results have: a lambda's. */
    public static <OUT> SingleOutputStreamOperator<CollectedResult<OUT>> apply(
            DataStream<SubmittedBatch> batches,
            ResultCodec<OUT> codec,
            TypeInformation<OUT> resultType,
            BatchInferenceOptions options) {
        Objects.requireNonNull(codec, "codec");
        Objects.requireNonNull(options, "options");
        options.refuse(
                "a collector, which submits nothing",
                BatchInferenceOptions.SIZE,
                BatchInferenceOptions.FILL_TIME,
                BatchInferenceOptions.BATCH_NUMBER,
                BatchInferenceOptions.MAX_RESUBMISSIONS,
                BatchInferenceOptions.REQUEST_URL,
                BatchInferenceOptions.RESULTS_TOPIC,
                BatchInferenceOptions.SUBMIT_AFTER_CHECKPOINT);
        return batches.transform(
                NAME,
                CollectedResult.type(resultType),
                BatchInferenceOperatorFactory.collecting(
                        options,
                        options.apiFactory(),
                        batches.getExecutionEnvironment().clean(codec),
                        failedRequests()));
    }

    /**
     * The side output of requests that have no result, with {@link
     * BatchInferenceOptions.OnFailure#SIDE_OUTPUT}.
     */
    public static OutputTag<FailedRow<RequestId>> failedRequests() {
        return BatchInference.failedRows(Types.POJO(RequestId.class));
    }
}
