package io.asyncbatch.flink.worker;

import java.io.Serializable;
import org.apache.flink.annotation.Internal;

/**
 * A user's Python function as it was submitted. Immutable.
 *
 * @param className class of the function, for logs and errors
 * @param pickled the cloudpickled function; unpickled by the worker only
 * @param retryStrategy the cloudpickled strategy, likewise; empty if calls are not repeated
 */
@Internal
public record PythonFunction(String className, byte[] pickled, byte[] retryStrategy)
        implements Serializable {}
