package io.asyncbatch.flink.sidecar;

import io.asyncbatch.flink.BatchTooLargeException;
import io.asyncbatch.flink.RichAsyncBatchFunction;
import java.util.List;
import java.util.Objects;
import javax.annotation.Nullable;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.streaming.api.functions.async.ResultFuture;

/**
 * Has a model server next door compute each batch, one request a batch. For {@link
 * io.asyncbatch.flink.AsyncDataStream}'s methods for batches.
 *
 * <p>A failed request is a {@link SidecarException}, which fails the job unless a retry strategy,
 * such as one with a {@link SidecarRetryPredicate}, has it repeated. A batch that passes the
 * operator's timeout is cancelled, at the server too.
 *
 * <p>A batch for which the server has no memory is halved, as {@link BatchTooLargeException} says.
 * So is one that an overloaded server refuses without saying when to come back, once no strategy
 * has it repeated any more: it may have been about memory.
 *
 * <p>Flink cannot tell the type of the results: say it with {@code returns}, or make an anonymous
 * subclass.
 *
 * @param <IN> type of the records
 * @param <OUT> type of the results
 */
@PublicEvolving
public class GpuSidecarAsyncBatchFunction<IN, OUT> extends RichAsyncBatchFunction<IN, OUT> {

    private static final long serialVersionUID = 1L;

    private final SidecarOptions options;
    private final TensorCodec<IN, OUT> codec;
    @Nullable private transient CodecCalls<IN, OUT> calls;

    /**
     * @throws IllegalArgumentException if the options ask for {@code drainAtCheckpoint}, which is
     *     an option of the batches here
     */
    public GpuSidecarAsyncBatchFunction(SidecarOptions options, TensorCodec<IN, OUT> codec) {
        this.options = Objects.requireNonNull(options, "options");
        this.codec = Objects.requireNonNull(codec, "codec");
        if (options.drainAtCheckpoint()) {
            throw new IllegalArgumentException(
                    "drainAtCheckpoint of batches is set in AsyncBatchOptions, not in"
                            + " SidecarOptions");
        }
    }

    /** Blocks until server and model are ready. */
    @Override
    public void open(OpenContext context) throws Exception {
        super.open(context);
        calls = CodecCalls.open(options, codec, getRuntimeContext());
    }

    @Override
    public void asyncInvokeBatch(List<IN> inputs, ResultFuture<OUT> resultFuture) {
        calls.call(inputs, inputs, new HalvingFuture<>(inputs.size(), resultFuture));
    }

    @Override
    public void timeoutBatch(List<IN> inputs, ResultFuture<OUT> resultFuture) throws Exception {
        // The operator hands over the list that it has called asyncInvokeBatch with.
        calls.cancel(inputs);
        super.timeoutBatch(inputs, resultFuture);
    }

    @Override
    public void close() throws Exception {
        if (calls != null) {
            calls.close();
            calls = null;
        }
        super.close();
    }
}
