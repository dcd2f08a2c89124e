package io.asyncbatch.flink.operator;

import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;

/**
 * The failures that a job has to survive, one after the other, each only after a checkpoint that
 * the failure before could not have spoilt. Used by all threads of a test's cluster.
 */
final class Faults {

    /** Where the job fails. */
    enum Kind {
        UPSTREAM,
        BATCH,
        WORKER,
        DOWNSTREAM,
        /** The call itself, before there is anything to wait for. */
        CALL,
        /** A checkpoint, in the function after the operator. */
        SNAPSHOT,
        /** The restoration after the failure before, in the function after the operator. */
        RECOVERY,
        /** The restoration after the failure before, in the async function. */
        OPEN;

        /** Whether only the failure before leads to where this one happens. */
        boolean followsAnother() {
            return this == RECOVERY || this == OPEN;
        }
    }

    /** Marks a failure as one of ours. */
    static final class InducedFailure extends RuntimeException {
        InducedFailure(String what) {
            super("induced failure " + what);
        }
    }

    private static final Queue<Kind> LEFT = new ArrayDeque<>();
    private static int checkpointsSinceLast;

    private Faults() {}

    static synchronized void plan(List<Kind> kinds) {
        LEFT.clear();
        LEFT.addAll(kinds);
        checkpointsSinceLast = 0;
    }

    static synchronized void checkpointCompleted() {
        checkpointsSinceLast++;
    }

    static synchronized boolean isDue(Kind kind) {
        if (LEFT.peek() != kind || (checkpointsSinceLast < 2 && !kind.followsAnother())) {
            return false;
        }
        LEFT.poll();
        checkpointsSinceLast = 0;
        return true;
    }

    static void failIfDue(Kind kind) {
        if (isDue(kind)) {
            throw new InducedFailure(kind.toString());
        }
    }

    static synchronized List<Kind> left() {
        return List.copyOf(LEFT);
    }
}
