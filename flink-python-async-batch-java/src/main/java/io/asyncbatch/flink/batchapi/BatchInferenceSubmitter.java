package io.asyncbatch.flink.batchapi;

import io.asyncbatch.flink.batchapi.operator.BatchInferenceOperatorFactory;
import java.util.Objects;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.util.OutputTag;

/**
 * Submits the rows of a stream to a provider's Batch API and says so, without waiting for results:
 * another job, with a {@link BatchInferenceCollector}, or another program does. Each batch that the
 * provider has is emitted once, whatever fails. Used by the client.
 */
@PublicEvolving
public final class BatchInferenceSubmitter {

    private static final String NAME = "batch submission";

    private BatchInferenceSubmitter() {}

    /**
     * Adds the operator to the job.
     *
     * @param codec makes requests of rows
     * @param options those of jobs that wait for results, {@link BatchInferenceOptions#MAX_WAIT}
     *     and {@link BatchInferenceOptions#MAX_RESULT_SIZE}, must not be among them
     * @return the batches; their rows are the side output {@link #submittedRows}. Rows that the
     *     provider does not take, if the options want them put aside, are the side output {@link
     *     BatchInference#failedRows}. Batches have no timestamps, rows keep theirs
     * @throws IllegalArgumentException if an option means nothing here
     */
    public static <IN> SingleOutputStreamOperator<SubmittedBatch> apply(
            DataStream<IN> in, RequestCodec<IN> codec, BatchInferenceOptions options) {
        Objects.requireNonNull(codec, "codec");
        Objects.requireNonNull(options, "options");
        options.refuse(
                "a submitter, which waits for no results",
                BatchInferenceOptions.MAX_WAIT,
                BatchInferenceOptions.MAX_RESULT_SIZE);
        return in.transform(
                NAME,
                Types.POJO(SubmittedBatch.class),
                BatchInferenceOperatorFactory.submitting(
                        options,
                        options.apiFactory(),
                        in.getExecutionEnvironment().clean(codec),
                        BatchInference.failedRows(in.getType()),
                        submittedRows(in.getType())));
    }

    /**
     * The side output of the rows of batches that the provider has, each with its {@code
     * custom_id}.
     *
     * @param rowType of the stream that went in
     */
    public static <IN> OutputTag<SubmittedRow<IN>> submittedRows(TypeInformation<IN> rowType) {
        return new OutputTag<>("batch-api-submitted-rows", SubmittedRow.type(rowType));
    }
}
