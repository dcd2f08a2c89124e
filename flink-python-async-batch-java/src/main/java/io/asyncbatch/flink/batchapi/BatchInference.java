package io.asyncbatch.flink.batchapi;

import io.asyncbatch.flink.batchapi.operator.BatchInferenceOperatorFactory;
import java.util.Objects;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.typeutils.TypeExtractor;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.util.OutputTag;

/**
 * Sends the rows of a stream through a provider's Batch API, whose results come minutes or hours
 * later at a lower price. Each row's result leaves once, whatever fails; results leave in any
 * order, but never across a watermark. Used by the client.
 */
@PublicEvolving
public final class BatchInference {

    private static final String NAME = "batch inference";

    private BatchInference() {}

    /**
     * Adds the operator to the job.
     *
     * @param codec makes requests of rows and results of responses; says what type these have
     * @return the results; rows that failed for good, if the options want them put aside, are its
     *     side output {@link #failedRows}
     */
    public static <IN, OUT> SingleOutputStreamOperator<OUT> apply(
            DataStream<IN> in, BatchCodec<IN, OUT> codec, BatchInferenceOptions options) {
        Objects.requireNonNull(codec, "codec");
        TypeInformation<OUT> outputType =
                TypeExtractor.createTypeInfo(codec, BatchCodec.class, codec.getClass(), 1);
        return apply(in, codec, outputType, options);
    }

    /** The same, where the codec's class does not say what type results have. */
    public static <IN, OUT> SingleOutputStreamOperator<OUT> apply(
            DataStream<IN> in,
            BatchCodec<IN, OUT> codec,
            TypeInformation<OUT> outputType,
            BatchInferenceOptions options) {
        Objects.requireNonNull(codec, "codec");
        Objects.requireNonNull(options, "options");
        options.refuse(
                "batch inference, which emits results itself", BatchInferenceOptions.RESULTS_TOPIC);
        return in.transform(
                NAME,
                outputType,
                BatchInferenceOperatorFactory.inferring(
                        options,
                        options.apiFactory(),
                        in.getExecutionEnvironment().clean(codec),
                        failedRows(in.getType())));
    }

    /**
     * The side output of rows that failed for good, with {@link
     * BatchInferenceOptions.OnFailure#SIDE_OUTPUT}.
     *
     * @param rowType of the stream that went in
     */
    public static <IN> OutputTag<FailedRow<IN>> failedRows(TypeInformation<IN> rowType) {
        return new OutputTag<>("batch-api-failed-rows", FailedRow.type(rowType));
    }
}
