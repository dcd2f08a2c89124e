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
 * @param suspectAfter rows that were under way at so many deaths of a worker are called for alone
 *     from then on, at least 1
 */
@Internal
public record FailureHandling(OnFailure onFailure, boolean isolate, int suspectAfter)
        implements Serializable {

    /** Deaths of a worker that may have nothing to do with a call, unless said otherwise. */
    public static final int DEFAULT_SUSPECT_AFTER = 2;

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
        if (suspectAfter < 1) {
            throw new IllegalArgumentException(
                    "suspect_after must be positive, got " + suspectAfter);
        }
    }

    /** Where no worker is replaced, or as often as by default before rows are suspected. */
    public FailureHandling(OnFailure onFailure, boolean isolate) {
        this(onFailure, isolate, DEFAULT_SUSPECT_AFTER);
    }

    /** Whether a failure costs rows, or further calls, and not the task at once. */
    public boolean isContained() {
        return isolate || onFailure != OnFailure.FAIL;
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

    /**
     * What is too large for one call is no failure as long as it can be made smaller, and of the
     * rows of a call that ends its worker all but one may be innocent.
     */
    private boolean maySplit(FailureKind kind) {
        return kind == FailureKind.TOO_LARGE
                || kind == FailureKind.WORKER_LOST
                || isolate && (kind == FailureKind.EXCEPTION || kind == FailureKind.INVALID_RESULT);
    }
}
