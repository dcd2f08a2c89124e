package io.asyncbatch.flink;

import java.util.List;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.functions.AbstractRichFunction;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.apache.flink.streaming.api.functions.async.RichAsyncFunction;

/**
 * An {@link AsyncBatchFunction} with {@code open}, {@code close} and a {@link RuntimeContext}.
 *
 * <p>As with Flink's {@link RichAsyncFunction} the context offers what any thread may use: task and
 * job information, metrics, job parameters. State, accumulators, broadcast variables and the
 * distributed cache throw {@link UnsupportedOperationException}.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@PublicEvolving
public abstract class RichAsyncBatchFunction<IN, OUT> extends AbstractRichFunction
        implements AsyncBatchFunction<IN, OUT> {

    private static final long serialVersionUID = 1L;

    @Override
    public void setRuntimeContext(RuntimeContext runtimeContext) {
        super.setRuntimeContext(Restricted.of(runtimeContext));
    }

    @Override
    public abstract void asyncInvokeBatch(List<IN> inputs, ResultFuture<OUT> resultFuture)
            throws Exception;

    /** Borrows the restricted context of Flink's class, which is private there. */
    private static final class Restricted extends RichAsyncFunction<Object, Object> {

        private static final long serialVersionUID = 1L;

        static RuntimeContext of(RuntimeContext context) {
            Restricted restricted = new Restricted();
            restricted.setRuntimeContext(context);
            return restricted.getRuntimeContext();
        }

        @Override
        public void asyncInvoke(Object input, ResultFuture<Object> resultFuture) {
            throw new UnsupportedOperationException("only its context is used");
        }
    }
}
