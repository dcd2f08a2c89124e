package io.asyncbatch.flink.limit;

import org.apache.flink.annotation.Internal;

/**
 * Parts a limit that all subtasks of an operator share among them, without any of them speaking to
 * another: the parts add up to the whole, differ by one at most, and are 1 where there is not
 * enough for all.
 */
@Internal
public final class StaticSplit {

    private StaticSplit() {}

    /**
     * @param whole what all subtasks may do together, at least 1
     * @param parallelism how many subtasks there are, at least 1
     * @param subtask which one, from 0
     * @return at least 1
     */
    public static int part(int whole, int parallelism, int subtask) {
        if (whole < 1 || parallelism < 1 || subtask < 0 || subtask >= parallelism) {
            throw new IllegalArgumentException(
                    "no part of a limit for subtask "
                            + subtask
                            + " of "
                            + parallelism
                            + ": whole="
                            + whole);
        }
        return Math.max(1, whole / parallelism + (subtask < whole % parallelism ? 1 : 0));
    }
}
