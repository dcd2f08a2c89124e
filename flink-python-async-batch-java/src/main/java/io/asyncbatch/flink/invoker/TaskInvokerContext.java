package io.asyncbatch.flink.invoker;

import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.execution.Environment;
import org.apache.flink.streaming.api.operators.StreamingRuntimeContext;

/**
 * What a task lends to its invoker. {@link #failTask} is called by any thread, the rest by the
 * thread that owns the invoker and by the task's.
 */
@Internal
public final class TaskInvokerContext implements InvokerContext {

    private final StreamingRuntimeContext runtimeContext;
    private final Environment environment;

    /**
     * Set by the first failure, and by the end of what uses the invoker, after which failing is
     * normal.
     */
    private final AtomicBoolean deaf = new AtomicBoolean();

    public TaskInvokerContext(StreamingRuntimeContext runtimeContext, Environment environment) {
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

    /** Has failures ignored from now on. */
    public void ignoreFailures() {
        deaf.set(true);
    }
}
