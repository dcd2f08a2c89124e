package io.asyncbatch.flink.table.gather;

import io.asyncbatch.flink.invoker.TaskInvokerContext;
import java.lang.reflect.Field;
import org.apache.flink.runtime.execution.Environment;
import org.apache.flink.streaming.api.operators.StreamingRuntimeContext;
import org.apache.flink.table.functions.FunctionContext;

/**
 * The task that runs a function of the planner, for an invoker.
 *
 * <p>Flink hides the task from such a function: it wraps the runtime context once for each level of
 * asynchronous functions, and the wrapper refuses the distributed cache, in which PyFlink's files
 * are. This looks behind the wrappers, which has no other door (see ADR 15), and says so where
 * another version of Flink has other walls.
 */
final class TaskContext {

    private TaskContext() {}

    static TaskInvokerContext of(FunctionContext function) {
        Object context = read(FunctionContext.class, "context", function);
        while (!(context instanceof StreamingRuntimeContext)) {
            if (context == null) {
                throw new IllegalStateException(
                        "a model of 'async-batch' is called where no task runs");
            }
            context = read(context.getClass(), "runtimeContext", context);
        }
        return new TaskInvokerContext(
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
}
