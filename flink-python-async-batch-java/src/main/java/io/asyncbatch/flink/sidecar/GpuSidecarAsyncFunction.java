package io.asyncbatch.flink.sidecar;

import java.util.List;
import java.util.Objects;
import javax.annotation.Nullable;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.apache.flink.streaming.api.functions.async.RichAsyncFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has a model server next door compute each record, one request a record. For Flink's {@code
 * AsyncDataStream}; where the model gains from batches use {@link GpuSidecarAsyncBatchFunction}.
 *
 * <p>A failed request is a {@link SidecarException}, which fails the job unless a retry strategy,
 * such as one with a {@link SidecarRetryPredicate}, has it repeated. A record that passes the
 * operator's timeout is cancelled, at the server too.
 *
 * <p>Flink cannot tell the type of the results: say it with {@code returns}, or make an anonymous
 * subclass.
 *
 * @param <IN> type of the records
 * @param <OUT> type of the results
 */
@PublicEvolving
public class GpuSidecarAsyncFunction<IN, OUT> extends RichAsyncFunction<IN, OUT>
        implements CheckpointedFunction {

    private static final long serialVersionUID = 1L;
    private static final Logger LOG = LoggerFactory.getLogger(GpuSidecarAsyncFunction.class);

    private final SidecarOptions options;
    private final TensorCodec<IN, OUT> codec;
    @Nullable private transient CodecCalls<IN, OUT> calls;

    public GpuSidecarAsyncFunction(SidecarOptions options, TensorCodec<IN, OUT> codec) {
        this.options = Objects.requireNonNull(options, "options");
        this.codec = Objects.requireNonNull(codec, "codec");
    }

    /** Blocks until server and model are ready. */
    @Override
    public void open(OpenContext context) throws Exception {
        super.open(context);
        calls = CodecCalls.open(options, codec, getRuntimeContext());
    }

    @Override
    public void asyncInvoke(IN input, ResultFuture<OUT> resultFuture) {
        calls.call(resultFuture, List.of(input), resultFuture);
    }

    @Override
    public void timeout(IN input, ResultFuture<OUT> resultFuture) throws Exception {
        // The operator hands over the object that it has called asyncInvoke with.
        calls.cancel(resultFuture);
        super.timeout(input, resultFuture);
    }

    /** Waits, where the options ask for it, until the requests in flight are answered. */
    @Override
    public void snapshotState(FunctionSnapshotContext context) throws Exception {
        if (!options.drainAtCheckpoint() || calls == null) {
            return;
        }
        int open = calls.awaitIdle(options.requestTimeout());
        if (open > 0) {
            LOG.warn(
                    "Checkpoint {} goes on with {} requests in flight, after requestTimeout={}",
                    context.getCheckpointId(),
                    open,
                    options.requestTimeout());
        }
    }

    @Override
    public void initializeState(FunctionInitializationContext context) {
        // The records that were in flight are in the operator's state.
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
