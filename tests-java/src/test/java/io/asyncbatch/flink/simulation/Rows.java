package io.asyncbatch.flink.simulation;

import javax.annotation.Nullable;

/**
 * The rows of a schedule: a number, from 1, times ten, and a key that follows from it. Their number
 * is their timestamp too. The result of a row is ten times the row, what a timeout handler gives is
 * its negative.
 */
final class Rows {

    /** Rows of key 0 are equal to no other. */
    private static final int KEYS = 4;

    private Rows() {}

    static int row(int number) {
        return number * 10 + number * number % 7 % KEYS;
    }

    static int numberOf(int row) {
        return row / 10;
    }

    static int keyOf(int row) {
        return row % 10;
    }

    @Nullable
    static Object coalesceKeyOf(int row) {
        return keyOf(row) == 0 ? null : keyOf(row);
    }

    static long weightOf(int row) {
        return numberOf(row) % 8;
    }

    static long bytesOf(int row) {
        return 1 + numberOf(row) % 5;
    }

    static int resultOf(int row) {
        return row * 10;
    }

    static int substituteFor(int row) {
        return -row;
    }

    /**
     * Whether that may be the result of the row.
     *
     * @param shared whether it may be that of an equal one
     */
    static boolean isResultOf(int result, int row, boolean shared) {
        if (result < 0) {
            return result == substituteFor(row);
        }
        boolean ofEqual =
                shared && keyOf(row) != 0 && result % 10 == 0 && keyOf(result / 10) == keyOf(row);
        return ofEqual || result == resultOf(row);
    }
}
