package io.asyncbatch.flink.batchapi.job;

import org.apache.flink.annotation.Internal;

/** Texts about failures. Stateless. */
@Internal
public final class Messages {

    private static final int MOST_CHARACTERS = 1_000;

    private Messages() {}

    /** What a row's owner is told about an exception of the codec. */
    public static String forRow(Exception failure) {
        String text = String.valueOf(failure);
        return text.length() > MOST_CHARACTERS ? text.substring(0, MOST_CHARACTERS) : text;
    }
}
