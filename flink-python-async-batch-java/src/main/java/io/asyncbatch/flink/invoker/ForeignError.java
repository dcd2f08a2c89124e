package io.asyncbatch.flink.invoker;

import org.apache.flink.annotation.Internal;

/**
 * An error that user code in another language raised: what it is called there, and what it says.
 */
@Internal
public interface ForeignError {

    /** Qualified name of the error's class, such as {@code ValueError}. */
    String getErrorClass();

    /** What the error says by itself, without where and for what; may be empty. */
    String getErrorMessage();
}
