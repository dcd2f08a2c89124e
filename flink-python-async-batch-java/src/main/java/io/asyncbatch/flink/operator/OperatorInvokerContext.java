package io.asyncbatch.flink.operator;

import io.asyncbatch.flink.invoker.InvokerContext;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.flink.runtime.execution.Environment;
import org.apache.flink.streaming.api.operators.StreamingRuntimeContext;

/**
 * What one operator lends to its invoker. {@link #failTask} is called by any thread, the rest by
 * the mailbox thread.
 */
final class OperatorInvokerContext implements InvokerContext {

    private final StreamingRuntimeContext runtimeContext;
    private final Environment environment;

    /** Set by the first failure, and by the end of the operator, after which failing is normal. */
    private final AtomicBoolean deaf = new AtomicBoolean();

    OperatorInvokerContext(StreamingRuntimeContext runtimeContext, Environment environment) {
        this.runtimeContext = runtimeContext;
        this.environment = environment;
    }

    @Override
    public StreamingRuntimeContext runtimeContext() {
        return runtimeContext;
    }

    @Override
    public Environment taskEnvironment() {
        return environment;
    }

    /** Not by a mail, which would wait while a slow downstream holds the mailbox thread. */
    @Override
    public void failTask(Throwable cause) {
        if (deaf.compareAndSet(false, true)) {
            environment.failExternally(cause);
        }
    }

    void ignoreFailures() {
        deaf.set(true);
    }
}
