package io.asyncbatch.flink.invoker;

import java.util.List;
import java.util.Objects;
import org.apache.flink.annotation.Internal;

/**
 * How one invocation of a batch ended. Immutable.
 *
 * @param <OUT> type of the outputs
 */
@Internal
public sealed interface BatchOutcome<OUT> {

    /**
     * The invocation returned.
     *
     * @param results the outputs in the order of the inputs; the operator checks that there are as
     *     many as inputs
     */
    record Success<OUT>(List<OUT> results) implements BatchOutcome<OUT> {}

    /**
     * The invocation failed.
     *
     * @param cause what to show the user; the job's exception chain ends with it
     */
    record Failure<OUT>(Throwable cause) implements BatchOutcome<OUT> {

        public Failure {
            Objects.requireNonNull(cause, "cause");
        }
    }

    static <OUT> BatchOutcome<OUT> success(List<OUT> results) {
        return new Success<>(results);
    }

    static <OUT> BatchOutcome<OUT> failure(Throwable cause) {
        return new Failure<>(cause);
    }
}
