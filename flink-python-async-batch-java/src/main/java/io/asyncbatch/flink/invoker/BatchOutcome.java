package io.asyncbatch.flink.invoker;

import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import javax.annotation.Nullable;
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
     * @param results the outputs in the order of the inputs that were not given early; the operator
     *     checks that there are as many; those of failed rows are not looked at
     * @param failures of rows that have no result, by their index in the call's inputs
     */
    record Success<OUT>(List<OUT> results, List<RowFailure> failures)
            implements BatchOutcome<OUT> {}

    /**
     * The invocation failed.
     *
     * @param invalidResult whether the function returned, but something that is no result
     * @param cause what to show the user; the job's exception chain ends with it
     */
    record Failure<OUT>(boolean invalidResult, Throwable cause) implements BatchOutcome<OUT> {

        public Failure {
            Objects.requireNonNull(cause, "cause");
        }
    }

    /**
     * The batch is more than the function takes at once. Fewer rows may succeed.
     *
     * @param cause what to show the user if there is only one row
     */
    record TooLarge<OUT>(Throwable cause) implements BatchOutcome<OUT> {

        public TooLarge {
            Objects.requireNonNull(cause, "cause");
        }
    }

    /**
     * The invocation is to be repeated. The operator waits and hands the batch over once more,
     * unless the batch's deadline, which covers all attempts, passes first.
     *
     * @param cause why, or null if the results were not what was hoped for
     * @param delayMillis how long to wait, at least 0
     */
    record Retry<OUT>(@Nullable Throwable cause, long delayMillis) implements BatchOutcome<OUT> {

        public Retry {
            if (delayMillis < 0) {
                throw new IllegalArgumentException(
                        "the delay before a retry must not be negative, got "
                                + delayMillis
                                + " ms");
            }
        }
    }

    /**
     * What computes batches ended before the invocation did, and is being replaced. The operator
     * invokes the batch again once {@link BatchInvoker#ready} says so.
     *
     * @param cause how it ended
     * @param batches that were under way in it when it ended, this one among them; 0 if this one
     *     was never handed over
     */
    record WorkerLost<OUT>(Throwable cause, int batches) implements BatchOutcome<OUT> {

        public WorkerLost {
            Objects.requireNonNull(cause, "cause");
        }
    }

    /**
     * How it ended can be told in the mailbox thread only, because the user's code that tells it
     * may rely on running there.
     *
     * @param outcome called once, by the mailbox thread; what it throws is the failure
     */
    record Deferred<OUT>(Callable<BatchOutcome<OUT>> outcome) implements BatchOutcome<OUT> {

        /** Has the user's code say what came out; what it throws is the failure. */
        public BatchOutcome<OUT> tell() {
            try {
                return outcome.call();
            } catch (Exception failure) {
                return BatchOutcome.failure(failure);
            }
        }
    }

    static <OUT> BatchOutcome<OUT> success(List<OUT> results) {
        return new Success<>(results, List.of());
    }

    static <OUT> BatchOutcome<OUT> success(List<OUT> results, List<RowFailure> failures) {
        return new Success<>(results, failures);
    }

    static <OUT> BatchOutcome<OUT> tooLarge(Throwable cause) {
        return new TooLarge<>(cause);
    }

    static <OUT> BatchOutcome<OUT> failure(Throwable cause) {
        return new Failure<>(false, cause);
    }

    static <OUT> BatchOutcome<OUT> invalidResult(Throwable cause) {
        return new Failure<>(true, cause);
    }

    static <OUT> BatchOutcome<OUT> retry(@Nullable Throwable cause, long delayMillis) {
        return new Retry<>(cause, delayMillis);
    }

    static <OUT> BatchOutcome<OUT> workerLost(Throwable cause, int batches) {
        return new WorkerLost<>(cause, batches);
    }

    static <OUT> BatchOutcome<OUT> deferred(Callable<BatchOutcome<OUT>> outcome) {
        return new Deferred<>(outcome);
    }
}
