package io.asyncbatch.flink.operator.inflight;

import java.util.BitSet;
import javax.annotation.Nullable;

/**
 * Which rows of a batch have left. Nearly always they do in their order, and that is one number.
 * Owned by the mailbox thread.
 */
final class Departures {

    private final int size;
    private final RowOutcomes<?> outcomes;

    /** All rows before this one have left. */
    private int prefix;

    /** Rows that left before one that came before them; null if none did. */
    @Nullable private BitSet leftEarly;

    private int remaining;

    Departures(int size, RowOutcomes<?> outcomes) {
        this.size = size;
        this.outcomes = outcomes;
        this.remaining = size;
    }

    /** The first row that has not left. */
    int next() {
        return prefix;
    }

    /** Rows that have not left. */
    int remaining() {
        return remaining;
    }

    boolean hasLeft(int row) {
        return row < prefix || leftEarly != null && leftEarly.get(row);
    }

    /**
     * To be called before the row leaves: what its consumer throws must not have it leave twice.
     */
    void left(int row) {
        remaining--;
        if (row == prefix) {
            prefix = leftEarly == null ? prefix + 1 : leftEarly.nextClearBit(prefix + 1);
        } else {
            if (leftEarly == null) {
                leftEarly = new BitSet(size);
            }
            leftEarly.set(row);
        }
    }

    /**
     * The next row whose outcome is known and that has not left.
     *
     * @param from where to begin to look
     * @param end only rows before this one
     * @param inOrder whether no row leaves before one that came earlier
     * @return -1 if there is none
     */
    int nextReady(int from, int end, boolean inOrder) {
        for (int row = Math.max(from, prefix); row < end; row++) {
            if (!outcomes.isSettled(row)) {
                if (inOrder) {
                    return -1;
                }
            } else if (!hasLeft(row)) {
                return row;
            }
        }
        return -1;
    }
}
