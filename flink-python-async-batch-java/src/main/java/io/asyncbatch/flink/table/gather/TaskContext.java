package io.asyncbatch.flink.table.gather;

import io.asyncbatch.flink.invoker.InvokerContext;
import java.lang.reflect.Field;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.flink.runtime.execution.Environment;
import org.apache.flink.streaming.api.operators.StreamingRuntimeContext;
import org.apache.flink.table.functions.FunctionContext;

/**
 * What a function of the planner lends to an invoker. {@link #failTask} is called by any thread,
 * the rest by the gatherer's and the task's.
 *
 * <p>Flink hides the task from such a function: it wraps the runtime context once for each level of
 * asynchronous functions, and the wrapper refuses the distributed cache, in which PyFlink's files
 * are. This looks behind the wrappers, which has no other door (see ADR 15), and says so where
 * another version of Flink has other walls.
 */
final class TaskContext implements InvokerContext {

    private final StreamingRuntimeContext runtimeContext;
    private final Environment environment;

    /** Set by the first failure, and by the end of the function, after which failing is normal. */
    private final AtomicBoolean deaf = new AtomicBoolean();

    private TaskContext(StreamingRuntimeContext runtimeContext, Environment environment) {
        this.runtimeContext = runtimeContext;
        this.environment = environment;
    }

    static TaskContext of(FunctionContext function) {
        Object context = read(FunctionContext.class, "context", function);
        while (!(context instanceof StreamingRuntimeContext)) {
            if (context == null) {
                throw new IllegalStateException(
                        "a model of 'async-batch' is called where no task runs");
            }
            context = read(context.getClass(), "runtimeContext", context);
        }
        return new TaskContext(
                (StreamingRuntimeContext) context,
                (Environment) read(StreamingRuntimeContext.class, "taskEnvironment", context));
    }

    private static Object read(Class<?> owner, String name, Object instance) {
        try {
            Field field = owner.getDeclaredField(name);
            field.setAccessible(true);
            return field.get(instance);
        } catch (ReflectiveOperationException | RuntimeException e) {
            throw new IllegalStateException(
                    "'async-batch' models need Flink 2.3, where "
                            + owner.getName()
                            + " has a field '"
                            + name
                            + "'",
                    e);
        }
    }

    @Override
    public StreamingRuntimeContext runtimeContext() {
        return runtimeContext;
    }

    @Override
    public Environment taskEnvironment() {
        return environment;
    }

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
