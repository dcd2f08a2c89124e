package io.asyncbatch.flink.invoker;

import java.util.Objects;
import org.apache.flink.annotation.Internal;

/**
 * The function has no result for one row of a call. Immutable.
 *
 * @param row index in the call's inputs
 * @param cause what to show the user
 */
@Internal
public record RowFailure(int row, Throwable cause) {

    public RowFailure {
        Objects.requireNonNull(cause, "cause");
    }
}
