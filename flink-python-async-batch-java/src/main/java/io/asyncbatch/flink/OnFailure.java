package io.asyncbatch.flink;

import org.apache.flink.annotation.PublicEvolving;

/** What becomes of rows for which there is no result, once no call is repeated any more. */
@PublicEvolving
public enum OnFailure {
    /** The task fails, and Flink's restart strategy takes over. */
    FAIL,

    /** Each such row leaves through the side output of {@link DeadLetters}, others as usual. */
    DEAD_LETTER,

    /** Each such row is left out and counted, others leave as usual. */
    SKIP
}
