package io.asyncbatch.flink.simulation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import io.asyncbatch.flink.operator.state.SavedElement;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeMap;
import javax.annotation.Nullable;

/**
 * What one life of an operator was given, what of it has left, and whether it left as it may: each
 * row once, in its order where there is one, with a result that may be its own, and nothing across
 * what stands between rows. Used by one thread.
 */
final class Ledger {

    /** A row that has not left. */
    private record Open(int row, long position, long sinceMicros, boolean isSettled) {}

    /** What stands between two rows: of each kind only the last says anything. */
    private static final class Between {
        private final long position;
        @Nullable private Long watermark;
        @Nullable private Boolean idle;
        @Nullable private Boolean backlog;

        private Between(long position) {
            this.position = position;
        }

        /** Activity is announced before a watermark, which an idle output would drop. */
        private Deque<String> inOrder() {
            Deque<String> parts = new ArrayDeque<>();
            if (backlog != null) {
                parts.add("backlog " + backlog);
            }
            if (idle != null && !idle) {
                parts.add("active");
            }
            if (watermark != null) {
                parts.add("watermark " + watermark);
            }
            if (idle != null && idle) {
                parts.add("idle");
            }
            return parts;
        }
    }

    private final boolean ordered;
    private final boolean shared;
    private final boolean lettersLeave;
    private final TreeMap<Long, Open> openByPosition = new TreeMap<>();
    private final Map<Integer, Open> openByNumber = new HashMap<>();
    private final Deque<Between> between = new ArrayDeque<>();
    private Deque<String> leaving = new ArrayDeque<>();
    private final BitSet given = new BitSet();
    private final BitSet left = new BitSet();
    private final BitSet leftOut = new BitSet();

    /** Rows that a fault may have cost their result. */
    private final BitSet mayFail = new BitSet();

    private boolean anyMayFail;
    private long positions;
    private int computed;
    private int letters;
    private int restoredFailures;

    /**
     * @param ordered whether rows leave in the order in which they came
     * @param shared whether equal rows may have one result
     * @param lettersLeave whether a row without a result leaves as a dead letter, rather than not
     */
    Ledger(boolean ordered, boolean shared, boolean lettersLeave) {
        this.ordered = ordered;
        this.shared = shared;
        this.lettersLeave = lettersLeave;
    }

    // -------------------------------------------------------------- coming in

    void rowComes(int row, long micros) {
        given.set(Rows.numberOf(row));
        computed++;
        open(row, micros, false);
    }

    private void open(int row, long micros, boolean isSettled) {
        Open open = new Open(row, positions++, micros, isSettled);
        openByPosition.put(open.position(), open);
        assertThat(openByNumber.put(Rows.numberOf(row), open))
                .as("row %s came twice", row)
                .isNull();
    }

    void watermarkComes(long timestamp) {
        last().watermark = timestamp;
    }

    void statusComes(boolean idle) {
        last().idle = idle;
    }

    void attributesCome(boolean backlog) {
        last().backlog = backlog;
    }

    private Between last() {
        Between last = between.peekLast();
        if (last == null || last.position != positions) {
            last = new Between(positions);
            between.add(last);
        }
        return last;
    }

    /**
     * Takes what the operator is restored with.
     *
     * @param retriesFailures whether rows that had failed are computed once more
     */
    void restore(
            List<SavedElement<Integer, Integer>> elements, long micros, boolean retriesFailures) {
        for (SavedElement<Integer, Integer> element : elements) {
            if (element instanceof SavedElement.Input<Integer, Integer> input) {
                computed++;
                open(input.value(), micros, false);
            } else if (element instanceof SavedElement.Result<Integer, Integer> result) {
                open(Rows.row((int) result.timestamp()), micros, true);
            } else if (element instanceof SavedElement.Failed<Integer, Integer> failed) {
                computed += retriesFailures ? 1 : 0;
                restoredFailures += retriesFailures ? 0 : 1;
                mayFail.set(Rows.numberOf(failed.value()));
                open(failed.value(), micros, !retriesFailures);
            } else if (element instanceof SavedElement.Mark<Integer, Integer> mark) {
                watermarkComes(mark.timestamp());
            }
        }
    }

    // ----------------------------------------------------------------- faults

    void mayFail(Iterable<Integer> rows) {
        rows.forEach(row -> mayFail.set(Rows.numberOf(row)));
        // Equal rows share the failure.
        anyMayFail |= shared;
    }

    void anyMayFail() {
        anyMayFail = true;
    }

    private boolean isExcused(int number) {
        return anyMayFail || mayFail.get(number);
    }

    // ---------------------------------------------------------------- leaving

    void resultLeaves(int result, long timestamp) {
        Open open = rowLeaves((int) timestamp);
        assertThat(Rows.isResultOf(result, open.row(), shared))
                .as("whether %s is a result of row %s", result, open.row())
                .isTrue();
    }

    void letterLeaves(int row, long timestamp) {
        assertThat(lettersLeave).as("dead letters are not wanted, and one left").isTrue();
        Open open = rowLeaves((int) timestamp);
        assertThat(open.row()).as("the row of a dead letter").isEqualTo(row);
        assertThat(isExcused(Rows.numberOf(row))).as("row %s failed without a fault", row).isTrue();
        letters++;
    }

    private Open rowLeaves(int number) {
        assertThat(leaving)
                .as("left before row %s, and not with what it came with", number)
                .isEmpty();
        Open open = openByNumber.remove(number);
        if (open == null) {
            fail("row %s left, and is none that is here", number);
        }
        openByPosition.remove(open.position());
        left.set(number);
        if (ordered) {
            rowsWentWithout(open.position(), "row " + number);
        }
        Between first = between.peek();
        if (first != null) {
            assertThat(open.position())
                    .as("row %s overtook %s", number, first.inOrder())
                    .isLessThan(first.position);
        }
        return open;
    }

    /** All rows before a position must have left, or have been left out. */
    private void rowsWentWithout(long position, Object what) {
        while (!openByPosition.isEmpty() && openByPosition.firstKey() < position) {
            Open before = openByPosition.firstEntry().getValue();
            int number = Rows.numberOf(before.row());
            assertThat(!lettersLeave && isExcused(number))
                    .as("%s overtook row %s", what, before.row())
                    .isTrue();
            leaveOut(before);
        }
    }

    private void leaveOut(Open open) {
        openByPosition.remove(open.position());
        openByNumber.remove(Rows.numberOf(open.row()));
        leftOut.set(Rows.numberOf(open.row()));
    }

    void watermarkLeaves(long timestamp) {
        partLeaves("watermark " + timestamp);
    }

    void statusLeaves(boolean idle) {
        partLeaves(idle ? "idle" : "active");
    }

    void attributesLeave(boolean backlog) {
        partLeaves("backlog " + backlog);
    }

    private void partLeaves(String part) {
        if (leaving.isEmpty()) {
            Between next = between.poll();
            if (next == null) {
                fail("%s left, and nobody sent it", part);
            }
            rowsWentWithout(next.position, part);
            leaving = next.inOrder();
        }
        assertThat(part).as("what leaves between two rows").isEqualTo(leaving.poll());
    }

    // ------------------------------------------------------------------ calls

    void isCalledFor(int row) {
        Open open = openByNumber.get(Rows.numberOf(row));
        if (open == null) {
            fail("row %s is called for, and is not here", row);
        }
        assertThat(open.isSettled()).as("row %s is computed once more", row).isFalse();
    }

    // ------------------------------------------------------------------ state

    /** The snapshot must hold what has not left, in its order, and nothing else. */
    void isSavedAs(List<SavedElement<Integer, Integer>> elements) {
        List<String> saved = new ArrayList<>();
        List<Integer> numbers = new ArrayList<>();
        for (SavedElement<Integer, Integer> element : elements) {
            if (element instanceof SavedElement.Mark<Integer, Integer> mark) {
                saved.add("watermark " + mark.timestamp());
            } else {
                int number = numberOf(element);
                numbers.add(number);
                saved.add("row " + number);
            }
        }
        leaveOutAllBut(numbers);
        List<String> expected = new ArrayList<>();
        var marks = between.iterator();
        Between next = marks.hasNext() ? marks.next() : null;
        for (Open open : openByPosition.values()) {
            while (next != null && next.position <= open.position()) {
                addWatermark(next, expected);
                next = marks.hasNext() ? marks.next() : null;
            }
            expected.add("row " + Rows.numberOf(open.row()));
        }
        for (; next != null; next = marks.hasNext() ? marks.next() : null) {
            addWatermark(next, expected);
        }
        assertThat(saved).as("what the snapshot holds").isEqualTo(expected);
    }

    private static void addWatermark(Between between, List<String> to) {
        if (between.watermark != null) {
            to.add("watermark " + between.watermark);
        }
    }

    private void leaveOutAllBut(List<Integer> numbers) {
        if (lettersLeave) {
            return;
        }
        for (Open open : List.copyOf(openByPosition.values())) {
            int number = Rows.numberOf(open.row());
            if (!numbers.contains(number) && isExcused(number)) {
                leaveOut(open);
            }
        }
    }

    /** Of one that is a row. */
    static int numberOf(SavedElement<Integer, Integer> element) {
        if (element instanceof SavedElement.Input<Integer, Integer> input) {
            return Rows.numberOf(input.value());
        } else if (element instanceof SavedElement.Failed<Integer, Integer> failed) {
            return Rows.numberOf(failed.value());
        }
        return (int) ((SavedElement.Result<Integer, Integer>) element).timestamp();
    }

    /** The input has ended, and so has everything that came of it. */
    void isComplete() {
        leaveOutAllBut(List.of());
        assertThat(openByPosition.values()).as("rows that did not leave").isEmpty();
        assertThat(between.stream().map(Between::inOrder)).as("did not leave").isEmpty();
        assertThat(leaving).as("did not leave").isEmpty();
    }

    // ------------------------------------------------------------------ facts

    /** When the row came that certainly is here longest; none if any may have been left out. */
    OptionalLong oldestMicros() {
        return openByPosition.values().stream()
                .filter(open -> lettersLeave || !isExcused(Rows.numberOf(open.row())))
                .mapToLong(Open::sinceMicros)
                .findFirst();
    }

    /** Numbers of the rows that this life was given. */
    BitSet given() {
        return (BitSet) given.clone();
    }

    /** Numbers of the rows that have left, as a result or as a dead letter. */
    BitSet left() {
        return (BitSet) left.clone();
    }

    /** Numbers of the rows that failed and left nothing. */
    BitSet leftOut() {
        return (BitSet) leftOut.clone();
    }

    /** Rows for which calls had to be made, or equal ones followed. */
    int computed() {
        return computed;
    }

    /** Rows that failed in this life. Of one that is complete. */
    int failed() {
        return letters + leftOut.cardinality() - restoredFailures;
    }
}
