package io.asyncbatch.flink.batchapi.job;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * What a job's files say about its rows. Filled by the I/O thread, then read by the mailbox thread.
 *
 * @param <OUT> type of the outputs
 */
@Internal
public final class JobResults<OUT> {

    /**
     * What became of one row. Immutable.
     *
     * @param code why there is no result; null if there is one
     */
    record Outcome<OUT>(@Nullable OUT value, @Nullable String code, @Nullable String message) {}

    private final List<Outcome<OUT>> outcomes;
    private int answered;
    private int repeatedIds;
    private int foreignIds;
    private int unreadableLines;

    JobResults(int rows) {
        outcomes = new ArrayList<>(Collections.nCopies(rows, null));
    }

    /** The first result of a row counts, and a result counts more than an error. */
    void add(int place, Outcome<OUT> outcome) {
        Outcome<OUT> known = outcomes.get(place);
        if (known == null) {
            answered++;
        } else {
            repeatedIds++;
            if (known.code() == null || outcome.code() != null) {
                return;
            }
        }
        outcomes.set(place, outcome);
    }

    void foreignId() {
        foreignIds++;
    }

    void unreadable(int lines) {
        unreadableLines += lines;
    }

    /** Null for a row that no file says anything about. */
    @Nullable
    Outcome<OUT> outcome(int place) {
        return outcomes.get(place);
    }

    boolean isComplete() {
        return answered == outcomes.size();
    }

    int unreadableLines() {
        return unreadableLines;
    }

    /** Whether everything is as it should be, which is not worth a line of the log. */
    boolean isClean() {
        return repeatedIds + foreignIds + unreadableLines == 0;
    }

    @Override
    public String toString() {
        return answered
                + " of "
                + outcomes.size()
                + " rows answered, "
                + repeatedIds
                + " ids repeated, "
                + foreignIds
                + " ids unknown, "
                + unreadableLines
                + " lines unreadable";
    }
}
