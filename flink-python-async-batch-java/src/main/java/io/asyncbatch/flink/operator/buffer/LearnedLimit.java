package io.asyncbatch.flink.operator.buffer;

import org.apache.flink.annotation.Internal;

/**
 * How large batches may be, as the function's refusals have taught: half of what was too large, and
 * from then on slowly more, since what took the room may be gone. Changed by the mailbox thread;
 * any thread may read.
 */
@Internal
public final class LearnedLimit {

    /** Full batches that have to succeed before larger ones are tried. */
    static final int SUCCESSES_TO_GROW = 16;

    /** By which share of itself a limit grows. */
    private static final int GROWTH = 8;

    private final int mostRows;
    private final long mostBytes;

    private volatile int rows;
    private volatile int plannedRows;
    private volatile long bytes;
    private int successes;

    /**
     * @param mostRows what the user allows
     * @param mostBytes what the user allows
     */
    public LearnedLimit(int mostRows, long mostBytes) {
        this.mostRows = mostRows;
        this.mostBytes = mostBytes;
        this.rows = mostRows;
        this.plannedRows = mostRows;
        this.bytes = mostBytes;
    }

    /** Most rows of a batch: as many as have not been too much, and as is planned. */
    public int rows() {
        return Math.min(rows, plannedRows);
    }

    /** Batches had better have at most so many rows from now on, at least 1. */
    public void plan(int most) {
        plannedRows = most;
    }

    public long bytes() {
        return bytes;
    }

    /**
     * A call was too large. Only what it had most of can have been too much, and nobody knows what
     * that was, so both limits fall.
     *
     * @param callBytes what its rows weighed; 0 if that is not known
     */
    public void tooLarge(int callRows, long callBytes) {
        rows = Math.max(1, Math.min(rows, callRows / 2));
        if (callBytes > 0) {
            bytes = Math.max(1, Math.min(bytes, callBytes / 2));
        }
        successes = 0;
    }

    /** A call succeeded that was as large as calls may be. */
    public void succeeded(int callRows, long callBytes) {
        if (rows == mostRows && bytes == mostBytes) {
            return;
        }
        boolean full = callRows >= rows || callBytes > bytes - bytes / GROWTH;
        if (full && ++successes == SUCCESSES_TO_GROW) {
            successes = 0;
            rows = Math.min(mostRows, rows + Math.max(1, rows / GROWTH));
            bytes = mostBytes - bytes > bytes / GROWTH + 1 ? bytes + bytes / GROWTH + 1 : mostBytes;
        }
    }
}
