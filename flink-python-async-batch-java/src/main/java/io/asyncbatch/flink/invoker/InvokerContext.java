package io.asyncbatch.flink.invoker;

import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.execution.Environment;
import org.apache.flink.streaming.api.operators.StreamingRuntimeContext;

/** What the operator lends to a {@link BatchInvoker} for its life. */
@Internal
public interface InvokerContext {

    StreamingRuntimeContext runtimeContext();

    /** The task's environment: temporary directories, configuration, class loader. */
    Environment taskEnvironment();

    /**
     * Fails the task from any thread, for a failure that belongs to no batch, such as the death of
     * an idle worker. The first call wins; calls after the task ended are ignored.
     */
    void failTask(Throwable cause);
}
