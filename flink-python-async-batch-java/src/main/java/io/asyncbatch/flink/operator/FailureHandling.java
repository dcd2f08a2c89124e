package io.asyncbatch.flink.operator;

import io.asyncbatch.flink.FailureKind;
import io.asyncbatch.flink.OnFailure;
import java.io.Serializable;
import java.util.Objects;
import org.apache.flink.annotation.Internal;

/**
 * What the user wants to become of calls that fail for good. Immutable.
 *
 * @param onFailure what becomes of rows without a result
 * @param isolate whether a call that fails is followed by calls for its halves, until the rows that
 *     make it fail stand alone
 */
@Internal
public record FailureHandling(OnFailure onFailure, boolean isolate) implements Serializable {

    /** The first failure fails the task. */
    public static final FailureHandling STRICT = new FailureHandling(OnFailure.FAIL, false);

    /** What follows a call that failed. */
    public enum Verdict {
        /** Call for the rows again, in two halves. */
        SPLIT,
        /** Go on without the rows. */
        GIVE_UP_ROWS,
        FAIL_TASK
    }

    public FailureHandling {
        Objects.requireNonNull(onFailure, "on_failure must be one of FAIL, DEAD_LETTER and SKIP");
    }

    /**
     * @param rows that have no outcome, of the call that failed
     */
    public Verdict judge(FailureKind kind, int rows) {
        if (kind == FailureKind.INVOKER) {
            return Verdict.FAIL_TASK;
        }
        if (rows > 1 && maySplit(kind)) {
            return Verdict.SPLIT;
        }
        return onFailure == OnFailure.FAIL ? Verdict.FAIL_TASK : Verdict.GIVE_UP_ROWS;
    }

    /** What is too large for one call is no failure as long as it can be made smaller. */
    private boolean maySplit(FailureKind kind) {
        return kind == FailureKind.TOO_LARGE
                || isolate && (kind == FailureKind.EXCEPTION || kind == FailureKind.INVALID_RESULT);
    }
}
