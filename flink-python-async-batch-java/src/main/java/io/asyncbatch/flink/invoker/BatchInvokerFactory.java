package io.asyncbatch.flink.invoker;

import java.io.Serializable;
import org.apache.flink.annotation.Internal;

/**
 * Creates a subtask's {@link BatchInvoker}. Travels with the job graph, so it holds only what is
 * serializable.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
@FunctionalInterface
public interface BatchInvokerFactory<IN, OUT> extends Serializable {

    /** Called once per subtask, before {@link BatchInvoker#open}. */
    BatchInvoker<IN, OUT> createInvoker();
}
